"""Holds a restarted server against the journal: nothing told may be lost, undone or doubled."""


def all_tasks(api):
    """Every task of the client's type, with payload and result, by following the cursor."""
    tasks, cursor = [], None
    while True:
        params = {"type": api.type, "limit": 1000, "include": "payload,result"}
        if cursor:
            params["cursor"] = cursor
        page = api.expect(api.get("/tasks", params=params))
        tasks += page["tasks"]
        cursor = page["nextCursor"]
        if cursor is None:
            return tasks


def check(journal, tasks):
    """All violations, as sentences. Afterwards what was seen is a fact and nothing is in doubt."""
    seen = {task["id"]: task for task in tasks}
    found = journal.violations
    journal.violations = []
    found += _doubles(tasks)
    found += _groups(journal, tasks)
    found += _batches(journal, seen)
    found += _ghost_claims(journal, seen)
    for record in list(journal.by_subject.values()):
        task = seen.get(record.id) if record.id else None
        found += _missing(record, task) if task is None else _present(record, task)
    for task in tasks:
        journal.saw(task)
    found += journal.violations
    journal.violations = []
    _settle_doubts(journal, seen)
    return found


def _doubles(tasks):
    subjects = {}
    for task in tasks:
        if task["subject"] in subjects:
            yield f"{task['subject']} is there twice: {task['id']}, {subjects[task['subject']]}"
        subjects[task["subject"]] = task["id"]


def _groups(journal, tasks):
    present = {task["subject"] for task in tasks}
    for group in journal.groups:
        if any(journal.by_subject[subject].deletes for subject in group):
            continue
        there = sum(subject in present for subject in group)
        if there not in (0, len(group)):
            yield f"{there} of the {len(group)} tasks of one batch are there: {group[0]} …"


def _batches(journal, seen):
    """Completions sent together in one request were committed together."""
    for batch in journal.batches:
        states = set()
        for task_id, token in batch:
            record = journal.by_id[task_id]
            if record.meddled or task_id not in seen:
                continue
            states.add(seen[task_id]["status"] == "completed")
        if len(states) > 1:
            yield f"a batch of {len(batch)} completions is half done: {batch[0][0]} …"


def _ghost_claims(journal, seen):
    """Attempts that nobody was told of come from claims whose answer was lost, and no others."""
    ghosts = 0
    for task_id, task in seen.items():
        record = journal.by_id.get(task_id)
        known = max(record.claims, default=0) if record else 0
        before = record.latest["attempt"] if record and record.latest else 0
        ghosts += max(0, task["attempt"] - max(known, before))
    if ghosts > journal.claims_in_doubt:
        yield f"{ghosts} attempts from {journal.claims_in_doubt} tasks claimed in doubt"


def _missing(record, task):
    if record.sure and not record.may_be_gone:
        yield f"{record.id} ({record.subject}) was acknowledged and is lost"


def _present(record, task):
    where = f"{record.id} at revision {task['revision']}"
    if "told" in record.deletes:
        yield f"{where} was deleted and is back"
    if task["payload"] != record.payload:
        yield f"{where} has another payload: {task['payload']!r}"
    yield from _went_back(record, task, where)
    yield from _ended_rightly(record, task, where)
    yield from _is_where_it_was_left(record, task, where)


def _went_back(record, task, where):
    latest = record.latest
    if latest and task["revision"] < latest["revision"]:
        yield f"{where} was acknowledged at revision {latest['revision']} as {latest['status']}"
    if record.claims and task["attempt"] < max(record.claims):
        yield f"{where} has attempt {task['attempt']}; {max(record.claims)} was handed out"
    if record.final and task["status"] != record.final["status"]:
        yield f"{where} is {task['status']} after it was {record.final['status']}"
    if record.final and "result" in record.final and record.final["result"] != task["result"]:
        yield f"{where} has the result {task['result']!r}, not {record.final['result']!r}"
    same_attempt = latest and latest["attempt"] == task["attempt"] and task["status"] == "running"
    if same_attempt and latest["status"] == "running" and task["progress"] < latest["progress"]:
        yield f"{where} has progress {task['progress']} after {latest['progress']}"


def _ended_rightly(record, task, where):
    status = task["status"]
    if status == "completed" and task["result"] not in record.results.values():
        yield f"{where} has a result that nobody sent: {task['result']!r}"
    if status != "completed" and task["result"] is not None:
        yield f"{where} is {status} and has a result"
    if status == "failed" and not record.fails:
        yield f"{where} failed although nobody said so"
    if status == "cancelled" and not record.cancels:
        yield f"{where} is cancelled although nobody asked for it"
    told_of_this_attempt = task["attempt"] in record.claims
    if status == "abandoned" and told_of_this_attempt and not record.short_lease:
        yield f"{where} is abandoned although its lease cannot have run out"


def _is_where_it_was_left(record, task, where):
    """An attempt ends only by what somebody sent for it."""
    token = record.claims.get(task["attempt"])
    if token is None or record.meddled:
        return
    sent = token in record.results or token in record.fails
    if task["status"] == "pending" and token not in record.fails:
        yield f"{where} lost its lease: attempt {task['attempt']} was acknowledged"
    if task["status"] != "running" and not sent:
        yield f"{where} is {task['status']} although its worker has said nothing"


def _settle_doubts(journal, seen):
    """What is not there now was not committed, and will not come later."""
    journal.groups, journal.batches, journal.claims_in_doubt = [], [], 0
    for subject, record in list(journal.by_subject.items()):
        there = record.id in seen
        if record.deletes and not there:
            record.deletes.add("told")
        elif "told" not in record.deletes:
            record.deletes.clear()
        if not record.sure and not there:
            del journal.by_subject[subject]
