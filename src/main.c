// main.c: picks a subcommand, nothing else.
#include "app/commands.h"

int main(int argc, char **argv) { return commands_main(argc, argv); }
