"""deploy/container, as far as it can be held to something without an image: what the files name is
there and known, and the program serves with nothing around it but its own libraries."""

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from lib.client import fresh_name, new_key
from lib.server import ADMIN, BINARY, ROOT, Server, clean_environment

FOLDER = ROOT / "deploy" / "container"
COMPOSE = FOLDER / "docker-compose.database-layer.yml"
OF_LIBPQ = {"PGPASSWORD"}  # read by the library, and named in docs/settings.md under `store`


def taskyard(tmp_path, *arguments, env=None):
    return subprocess.run([str(BINARY), *arguments], capture_output=True, text=True, timeout=20,
                          cwd=tmp_path, env=clean_environment(tmp_path, env))


# --- compose --------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load(COMPOSE.read_text())


def sample(value):
    """As Compose puts in what it takes from the environment."""
    return re.sub(r"\$\{(\w+):\?[^}]*\}", "a-secret-of-the-operator", value)


@pytest.fixture
def variables(compose):
    named = compose["services"]["task-repo-service"]["environment"]
    return {name: sample(value) for name, value in named.items()}


def test_each_variable_of_the_service_is_known_to_the_program(variables, tmp_path):
    told = taskyard(tmp_path, "config", "--json", env=variables)
    assert told.returncode == 0 and told.stderr == "", told.stderr
    settings = json.loads(told.stdout)["settings"]
    used = {setting["from"] for setting in settings.values()}
    assert set(variables) - {one for origin in used for one in origin.split(", ")} == OF_LIBPQ
    assert settings["listen"]["value"] == "0.0.0.0:8503"
    assert settings["service_name"]["value"] == "task-repo-service"
    assert settings["keep_for"]["value"] == "30d"
    assert taskyard(tmp_path, "config", "--check", env=variables).returncode == 0


def test_the_key_of_the_document_does_not_open_the_container(variables, tmp_path):
    for key in ("dev_api_key", "default-api-key"):
        refused = taskyard(tmp_path, "config", "--check", env={**variables, "API_KEY": key})
        assert refused.returncode == 78 and "--allow-default-key" in refused.stderr


def test_the_service_waits_for_its_database_and_is_started_again(compose):
    service, database = (compose["services"][name]
                         for name in ("task-repo-service", "postgres-system"))
    assert service["depends_on"] == {"postgres-system": {"condition": "service_healthy"}}
    assert service["restart"] == database["restart"] == "unless-stopped"
    url = service["environment"]["DATABASE_URL"]
    user, host, name = re.fullmatch(r"postgresql://(\w+)@([\w-]+):5432/(\w+)", url).groups()
    made = database["environment"]
    assert (made["POSTGRES_USER"], made["POSTGRES_DB"]) == (user, name)
    assert host in compose["services"] and service["environment"]["PGPASSWORD"] == made[
        "POSTGRES_PASSWORD"]
    assert f"-U {user} -d {name}" in database["healthcheck"]["test"][1]
    assert service["ports"] == [f"{service['environment']['PORT']}:8503"]
    for one in (service, database):
        for volume in one.get("volumes", []):
            assert volume.partition(":")[0] in compose["volumes"]


def test_the_service_is_built_from_this_source_and_may_do_little(compose):
    service = compose["services"]["task-repo-service"]
    context = (FOLDER / service["build"]["context"]).resolve()
    assert context == ROOT and (context / service["build"]["dockerfile"]).exists()
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_its_health_is_asked_for_by_the_program_itself(compose, tmp_path, server, make_server,
                                                       store):
    kind, program, *arguments = compose["services"]["task-repo-service"]["healthcheck"]["test"]
    assert (kind, program) == ("CMD", "taskyard")
    well = taskyard(tmp_path, *arguments, env={"TASKYARD_URL": server.url})
    assert well.returncode == 0 and json.loads(well.stdout) == {"status": "ok"}
    away = taskyard(tmp_path, *arguments, env={"TASKYARD_URL": "http://127.0.0.1:1"})
    assert away.returncode == 69
    keyed = make_server(key=ADMIN)  # no key is needed, and a wrong one does no harm
    for key in ("", "wrong"):
        env = {"TASKYARD_URL": keyed.url, "TASKYARD_KEY": key}
        assert taskyard(tmp_path, *arguments, env=env).returncode == 0


class ByEnvironment(Server):
    """A server that is told everything by its environment, as in a container."""

    def command(self):
        self.env.update(HOST=self.host, PORT=str(self.port), DATABASE_URL=self.store)
        return [str(BINARY), "serve"]


def test_its_variables_alone_start_it_and_a_service_does_its_work(variables, tmp_path, make_api,
                                                                  store):
    server = ByEnvironment(tmp_path, store=store, env=variables, key=variables["API_KEY"])
    if store == "postgresql":
        server.env["TASKYARD_STORE_SCHEMA"] = server.args[-1]  # one of the test's own
    server.start()
    try:
        admin = make_api(server)
        secret = new_key(admin, ["producer", "worker"], service="content")["secret"]
        api = make_api(server, key=secret)
        made = api.expect(api.post("/tasks", {"task_type": "GENERATIVE", "request": {}}), 201)
        path = f"/tasks/{made['task_id']}"
        api.expect(api.post(f"{path}/claim", {"service_id": "content"}))
        api.expect(api.post(f"{path}/complete", {"text": "x"}))
        assert api.expect(api.get(path))["results"] == {"text": "x"}
        assert api.get("//health").json()["service"] == "task-repo-service"
        kept = api.expect(api.get("/tasks/cleanup/status"))
        assert f"{30 * 24 * 3600 * 1000}" in str(kept)
    finally:
        server.stop()


# --- the image ------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def dockerfile():
    """[(INSTRUCTION, rest)] in order."""
    text = re.sub(r"\\\n", " ", (FOLDER / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [tuple(line.split(None, 1)) for line in lines]


def rest_of(dockerfile, name):
    return [rest for instruction, rest in dockerfile if instruction == name]


def copied(dockerfile):
    """What is copied from the source: [(path, place)]."""
    for rest in rest_of(dockerfile, "COPY"):
        *sources, place = rest.split()
        if not rest.startswith("--from"):
            yield from ((source, place) for source in sources)


def test_what_is_copied_is_there_and_is_sent_to_the_builder(dockerfile):
    ignored = (ROOT / ".dockerignore").read_text().split("\n")
    sent = {line[1:] for line in ignored if line.startswith("!")}
    assert "*" in ignored
    for source, _ in copied(dockerfile):
        assert (ROOT / source).exists(), source
        assert any(source == one or source.startswith(one + "/") for one in sent), source
    assert all((ROOT / one).exists() for one in sent)


def test_what_is_copied_is_all_that_the_build_needs(dockerfile, tmp_path):
    source = tmp_path / "source"
    for path, place in copied(dockerfile):
        target = source / (place if place != "./" else path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / path).is_dir():
            shutil.copytree(ROOT / path, target, dirs_exist_ok=True)
        else:
            shutil.copy(ROOT / path, target)
    set_up = subprocess.run(["meson", "setup", str(tmp_path / "build"), str(source)],
                            capture_output=True, text=True, timeout=120)
    assert set_up.returncode == 0, set_up.stdout[-2000:]
    # Whether each source that a target names has a rule or is there.
    plan = subprocess.run(["ninja", "-C", str(tmp_path / "build"), "-n", "taskyard"],
                          capture_output=True, text=True, timeout=60)
    assert plan.returncode == 0, plan.stdout[-2000:]


def needed_libraries():
    told = subprocess.run(["readelf", "-d", str(BINARY)], capture_output=True, text=True,
                          check=True).stdout
    return re.findall(r"\(NEEDED\).*\[(.*)\]", told)


def package_of(library):
    told = subprocess.run(["dpkg", "-S", f"*/{library}"], capture_output=True, text=True,
                          check=True).stdout
    return told.splitlines()[0].partition(":")[0]


def test_the_image_has_the_packages_of_the_libraries_that_the_program_needs(dockerfile):
    last = max(i for i, (name, _) in enumerate(dockerfile) if name == "FROM")
    install, = (rest for rest in rest_of(dockerfile[last:], "RUN") if "apt-get" in rest)
    words = shlex.split(re.search(r"--no-install-recommends (.*?) &&", install)[1])
    libraries = {name for name in needed_libraries() if not name.startswith(("libasan", "libubsan",
                                                                             "libtsan"))}
    needed = {package_of(name) for name in libraries} - {"libc6"}  # in every image
    assert set(words) == needed | {"ca-certificates"}


def test_the_image_runs_the_server_as_nobody_of_note(dockerfile, tmp_path):
    user, = rest_of(dockerfile, "USER")
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)
    assert f"-o {user.split(':')[0]} -g {user.split(':')[1]} /data" in " ".join(
        rest_of(dockerfile, "RUN"))
    assert rest_of(dockerfile, "VOLUME") == rest_of(dockerfile, "WORKDIR")[-1:] == ["/data"]
    assert rest_of(dockerfile, "STOPSIGNAL") == ["SIGTERM"]
    environment = dict(word.split("=") for word in rest_of(dockerfile, "ENV")[0].split())
    assert rest_of(dockerfile, "EXPOSE") == [environment["PORT"]]
    program, = json.loads(rest_of(dockerfile, "ENTRYPOINT")[0])
    assert f"/taskyard {program}" in " ".join(rest_of(dockerfile, "COPY"))
    command = json.loads(rest_of(dockerfile, "CMD")[0])
    refused = taskyard(tmp_path, *command, env=environment)
    assert refused.returncode == 78 and "API_KEY" in refused.stderr


def test_the_health_of_the_image_follows_its_port(dockerfile, server, tmp_path):
    rest, = rest_of(dockerfile, "HEALTHCHECK")
    shell = json.loads(rest.partition("CMD ")[2])
    found = {**clean_environment(tmp_path), "PATH": f"{BINARY.parent}:/bin"}
    for port, code in ((server.port, 0), (1, 69)):
        asked = subprocess.run(shell, env={**found, "PORT": str(port)}, capture_output=True,
                               cwd=tmp_path, timeout=20)
        assert asked.returncode == code, asked.stderr


# --- nothing around it ----------------------------------------------------------------------------

def libraries_of(binary):
    """The shared libraries, and what loads them, by the paths by which they are found."""
    told = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, check=True).stdout
    return [Path(path) for path in re.findall(r"(/\S+) \(0x", told)]


def make_root(folder):
    """A root with the program and its libraries in it."""
    files = [BINARY, *libraries_of(BINARY)]
    for path in files[1:]:
        target = folder / str(path).lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path.resolve(), target)
    shutil.copy(BINARY, folder / "taskyard")
    (folder / "data").mkdir()
    if any("san" in path.name for path in files):
        (folder / "proc").mkdir()  # the sanitizer's own wish


# Each step becomes the next one, so that the process that was started is the server in the end.
ENTER = """
root=$1 data=$2 user=$3
shift 3
mount --bind "$root" "$root"
mount --bind "$data" "$root/data"
[ ! -d "$root/proc" ] || mount --rbind /proc "$root/proc"
mount -o remount,bind,ro "$root"
exec chroot $user "$root" "$@"
"""


class Bare(Server):
    """A server in an empty root that is read-only, but for /data; as nobody, if we may say who."""

    def __init__(self, directory, root):
        super().__init__(directory, store="sqlite:/data/taskyard.db", key=ADMIN)
        self.root, self.data = root, directory / "data"
        self.data.mkdir(parents=True, exist_ok=True)
        self.data.chmod(0o777)

    def command(self):
        is_root = os.geteuid() == 0
        apart = ["unshare", "--mount"] if is_root else ["unshare", "--mount", "--map-root-user"]
        user = "--userspec=65534:65534" if is_root else ""
        return [*apart, "sh", "-euc", ENTER, "sh", str(self.root), str(self.data), user,
                "/taskyard", *super().command()[1:]]


@pytest.fixture
def bare(tmp_path):
    root = tmp_path / "root"
    make_root(root)
    running = Bare(tmp_path / "bare", root).start()
    yield running
    running.stop()


def test_it_serves_with_nothing_but_its_libraries_in_a_read_only_root(bare, make_api, store):
    if store != "sqlite":
        return
    names = {path.name for path in bare.root.rglob("*") if path.is_file()}
    assert all(re.search(r"\.so(\.|$)", name) for name in names - {"taskyard"}), names
    api = make_api(bare, type_name=fresh_name("t"))
    task = api.running(payload={"a": "ü"})
    bare.stop()
    bare.start()
    again = make_api(bare, type_name=api.type)
    assert again.complete(task, {"b": 1})["status"] == "completed"
    assert again.task(task)["payload"] == {"a": "ü"}
    assert again.get("//health").json()["status"] == "ok"
    made = {path.name for path in bare.data.iterdir()}
    assert made and all(name.startswith("taskyard.db") for name in made)


def test_it_calls_no_other_program(bare, make_api, store):
    if store != "sqlite":
        return
    make_api(bare).running()
    tasks = list(Path(f"/proc/{bare.pid}/task").iterdir())
    assert Path(f"/proc/{bare.pid}/root").resolve() == bare.root
    assert len(tasks) > 2 and all((one / "children").read_text() == "" for one in tasks)
