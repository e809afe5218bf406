"""What the transcripts of the documents ask of sqlite3: -readonly -header FILE STATEMENT."""

import sqlite3
import sys

if __name__ == "__main__":
    readonly, header, file, statement = sys.argv[1:]
    assert (readonly, header) == ("-readonly", "-header")
    found = sqlite3.connect(f"file:{file}?mode=ro", uri=True).execute(statement)
    for row in [[column[0] for column in found.description], *found]:
        print("|".join("" if value is None else str(value) for value in row))
