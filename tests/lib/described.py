"""The routes as the server itself describes them, and requests that fit; new ones are in there."""

from dataclasses import dataclass, field, replace

METHODS = ("get", "post", "put", "patch", "delete")
ROLES = ("producer", "worker", "reader", "admin", "user")


@dataclass(frozen=True)
class Route:
    method: str
    path: str               # "/api/v1/tasks/{id}"
    roles: tuple            # any one of them opens it; none: open to all
    parameters: tuple       # names in the query
    by_token: bool          # no key will do
    schema: dict = field(hash=False, compare=False, default=None)   # of one body; None: takes none
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
                       schema=self.session["schema"])

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
                               schema_of(operation), operation.get("x-session")))
    assert len(found) > 30
    return found


def schema_of(operation):
    if "requestBody" not in operation:
        return None
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    return schema["oneOf"][0] if "oneOf" in schema else schema


def sample(schema):
    """Some value that the field may have."""
    kinds = schema.get("type", ["object"])
    kind = kinds[0] if isinstance(kinds, list) else kinds
    if kind == "integer":
        return max(schema["minimum"], min(1, schema["maximum"]))
    return {"boolean": False, "number": 0, "object": {}, "array": [],
            "string": "x" * max(1, schema.get("minLength", 1))}[kind]


def least_body(route, **known):
    """The required fields, and those of `known` that the body has."""
    fields = route.schema["properties"]
    body = {name: sample(fields[name]) for name in route.schema["required"]}
    body.update({name: value for name, value in known.items() if name in fields})
    return body


def bodies(route, **known):
    """The least body, and it with each other field; [None] where no body is taken."""
    if route.schema is None:
        return [None]
    least = least_body(route, **known)
    fields = route.schema["properties"]
    return [least] + [{**least, name: sample(fields[name])} for name in fields if name not in least]
