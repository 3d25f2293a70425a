"""Record what Meta's parameter builder for Node.js makes of every personal value of the rows.

The builder for Python has no normal forms, and the tests shall not need Node.js:

    npm install --prefix FOLDER capi-param-builder-nodejs@1.3.2
    python -m tests.judges.recorded.record FOLDER
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.judges.rows import ROWS

FILE = Path(__file__).with_name("param_builder_nodejs.json")
TYPES = {
    "email": "email",
    "phone": "phone",
    "first_name": "first_name",
    "last_name": "last_name",
    "date_of_birth": "date_of_birth",
    "gender": "gender",
    "city": "city",
    "state": "state",
    "postal_code": "zip_code",
    "country": "country",
    "external_id": "external_id",
}
"""Our column -> the builder's name of its type."""

_SCRIPT = """
const folder = process.argv[1] + '/node_modules/capi-param-builder-nodejs/';
const { ParamBuilder } = require(folder);
const { getNormalizedPII } = require(folder + 'src/piiUtil/PIIUtil.js');
const { createHash } = require('crypto');
const asked = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const builder = new ParamBuilder();
const answers = {};
for (const [column, { type, texts }] of Object.entries(asked)) {
  answers[column] = {};
  for (const text of texts) {
    const digest = builder.getNormalizedAndHashedPII(text, type)?.split('.')[0];
    const form = digest === undefined ? null : getNormalizedPII(text, type);
    const hash = form && createHash('sha256').update(form).digest('hex');
    if (digest === hash || digest === undefined) answers[column][text] = form;
    else if (digest === text.trim().toLowerCase()) answers[column][text] = '(passed on)';
    else throw new Error('the digest is not that of the normal form: ' + type);
  }
}
const version = require(folder + 'package.json').version;
console.log(JSON.stringify({ package: 'capi-param-builder-nodejs', version, answers }));
"""


def record(folder: Path) -> None:
    """Write the answers of the package that is installed under `folder`."""
    asked = {
        column: {"type": name, "texts": sorted(_texts(column))} for column, name in TYPES.items()
    }
    done = subprocess.run(
        ["node", "-e", _SCRIPT, str(folder.resolve())],
        input=json.dumps(asked).encode(),
        stdout=subprocess.PIPE,
        timeout=60,
        check=True,
    )
    answers = json.dumps(json.loads(done.stdout), indent=1, ensure_ascii=False)
    FILE.write_text(answers + "\n", "utf-8")


def _texts(column: str) -> set[str]:
    return {str(row[column]) for row in ROWS.values() if row[column] is not None}


if __name__ == "__main__":
    record(Path(sys.argv[1]))
