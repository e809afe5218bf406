// problem.h: turns an answer that is not 2xx into an error. Private to client/.
#ifndef CLIENT_PROBLEM_H
#define CLIENT_PROBLEM_H

#include "client/client.h"

// The error whose code the problem document (RFC 9457) names, with its sentence and fields; an
// answer of somebody else, such as a proxy, becomes the error that fits its status. Never ERR_OK.
enum err problem_fault(struct arena *a, const struct client_reply *reply, struct fault *why);

#endif
