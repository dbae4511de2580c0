#!/usr/bin/env bash
# Every rule of .clang-tidy finds the mistake planted for it. Exit code 77 (skipped) without clang-tidy 14.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

command -v clang-tidy-14 >/dev/null || {
  echo 'skipped: clang-tidy-14 is not installed (Debian package clang-tidy-14)'
  exit 77
}
found=$(clang-tidy-14 --config-file=.clang-tidy tests/fixtures/project/tidy_planted.cc -- -std=c++20 2>/dev/null || true)
n_rules=0
silent=0
for rule in $(grep -oE '^ +[a-z]+-[a-z-]+' .clang-tidy); do
  n_rules=$((n_rules + 1))
  if [[ $found != *"[$rule"* ]]; then
    echo "$rule did not find its planted mistake"
    silent=$((silent + 1))
  fi
done
echo "$n_rules rules, $silent silent"
((n_rules > 5 && silent == 0))
