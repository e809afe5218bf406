"""The routes as the server itself describes them, and requests that fit; new ones are in there."""

from dataclasses import dataclass, field, replace

# What would come to its end amid a test otherwise.
LATER = {"expiresAt": 4102444800000, "expiresInMs": 3_600_000, "claim": {"leaseMs": 3_600_000}}
METHODS = ("get", "post", "put", "patch", "delete")
ROLES = ("producer", "worker", "reader", "admin", "user")


@dataclass(frozen=True)
class Route:
    method: str
    path: str               # "/api/v1/tasks/{id}"
    roles: tuple            # any one of them opens it; none: open to all
    parameters: tuple       # names in the query
    by_token: bool          # no key will do
    schemas: tuple = field(hash=False, compare=False, default=())   # of bodies that it takes
    session: dict = field(hash=False, compare=False, default=None)  # for sessions; None: closed

    def __str__(self):
        return f"{self.method} {self.path}"

    @property
    def parameter(self):
        """What stands in braces: "id", "name", or None."""
        return self.path.partition("{")[2].partition("}")[0] or None

    def of_session(self):
        """The route as it is to an anonymous session, which must be let in there."""
        return replace(self, parameters=tuple(self.session["parameters"]),
                       schemas=(self.session["schema"],) if self.session["schema"] else ())

    @property
    def noun(self):
        return self.path.removeprefix("/api/v1/").split("/")[0]

    def at(self, value):
        return "/" + self.path.replace("{%s}" % self.parameter, value)   # "//…": see Api.send


def routes(api):
    found = []
    for path, item in api.get("//openapi.json").json()["paths"].items():
        for method, operation in item.items():
            assert method in METHODS, f"{method} {path}"
            assert "x-roles" in operation, f"{method} {path} declares no scope"
            query = tuple(one["name"] for one in operation["parameters"] if one["in"] == "query")
            found.append(Route(method.upper(), path, tuple(operation["x-roles"]), query,
                               operation.get("security") == [{"token": []}],
                               schemas_of(operation), operation.get("x-session")))
    assert len(found) > 30
    return found


def schemas_of(operation):
    if "requestBody" not in operation:
        return ()
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    return tuple(schema.get("oneOf", [schema]))


def sample(schema):
    """Some value that the field may have."""
    kinds = schema.get("type", ["object"])
    kind = kinds[0] if isinstance(kinds, list) else kinds
    if kind == "integer":
        return max(schema["minimum"], min(1, schema["maximum"]))
    return {"boolean": False, "number": 0, "object": {}, "array": [],
            "string": "x" * max(1, schema.get("minLength", 1))}[kind]


def is_list(schema):
    return schema["type"] == "array"


def members(schema):
    """Of the object, or of each in a list of them."""
    return (schema["items"] if is_list(schema) else schema)["properties"]


def least(schema, **known):
    """The required fields, and those of `known` that the body has."""
    if is_list(schema):
        return [least(schema["items"], **known)]
    fields = schema["properties"]
    body = {name: sample(fields[name]) for name in schema["required"]}
    body.update({name: value for name, value in known.items() if name in fields})
    return body


def least_body(route, **known):
    return least(route.schemas[0], **known)


def variants(schema, **known):
    """The least body, and it with each other field."""
    if is_list(schema):
        return [[item] for item in variants(schema["items"], **known)]
    body, fields = least(schema, **known), schema["properties"]
    return [body] + [{**body, name: LATER.get(name, sample(fields[name]))}
                     for name in fields if name not in body]


def bodies(route, **known):
    """Those of each kind that the route takes; [None] where it takes none."""
    return [body for schema in route.schemas for body in variants(schema, **known)] or [None]
