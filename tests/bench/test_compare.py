#!/usr/bin/env python3
"""compare_training against commands that print made-up figures."""
import json
import os
import subprocess
import sys
import tempfile

COMPARE = os.path.join(os.environ["BOOKRUNNER_SOURCE"], "tests", "bench", "compare_training")


def compare(ours, rival):
    """Each command is a shell script that may count its calls in the file N."""
    with tempfile.TemporaryDirectory() as here:
        for name, text in (("ours", ours), ("rival", rival)):
            with open(os.path.join(here, name), "w", encoding="utf-8") as file:
                file.write("#!/bin/sh\necho >> \"$0.n\"; N=$(wc -l < \"$0.n\")\n" + text + "\n")
            os.chmod(os.path.join(here, name), 0o755)
        done = subprocess.run([COMPARE, "--rounds", "3", "--expect-gflops", "100", "--ours", f"{here}/ours", "--rival", f"{here}/rival"],
                              capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def rival(gflops):
    return f"""echo '{{"samples_per_s": 10, "gflops": {gflops}}}'"""


def main():
    code, said, _ = compare("echo compact samples_per_s=7; echo main samples_per_s=$((N * N * 10))", rival(85))
    assert (code, said["ratio"], said["ratios"], said["valid"]) == (0, 4.0, [1.0, 4.0, 9.0], True), (code, said)
    code, said, errors = compare("""echo '{"samples_per_s": 40.5}'""", rival(84.9))
    assert (code, said["ratio"], said["valid"]) == (5, 4.05, False) and "too busy" in errors, (code, said, errors)
    code, said, _ = compare("exit 0", "exit 77")
    assert (code, said) == (77, None), (code, said)
    code, said, errors = compare("exit 3", rival(90))
    assert (code, said) == (1, None) and "code 3" in errors, (code, said, errors)
    code, said, errors = compare("echo nothing", rival(90))
    assert (code, said) == (1, None) and "no samples_per_s" in errors, (code, said, errors)
    code, said, _ = compare("echo samples_per_s=1", "env | grep -q MALLOC_MMAP_THRESHOLD_=4294967296 || exit 9\n" + rival(90))
    assert code == 0, code
    print("compare_training: the median decides, and a busy machine is seen")


if __name__ == "__main__":
    sys.exit(main())
