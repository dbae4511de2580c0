#!/usr/bin/env bash
# Installs a build to a temporary prefix, moves the prefix, and builds and runs a project outside of moescope against it.
#
#   package_test.sh BUILD
set -euo pipefail
build=$(realpath "${1:?usage: package_test.sh BUILD}")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fail() {
  echo "package: $*"
  exit 1
}

cmake --install "$build" --prefix "$folder/installed" >"$folder/log" || { cat "$folder/log"; fail 'cmake --install failed'; }
mv "$folder/installed" "$folder/moved" # a package that knows its own place would no longer be found
grep -rlF "$build" "$folder/moved/lib" --include='*.cmake' && fail 'the package names the build folder'

cmake -S tests/project/package -B "$folder/outside" -G Ninja -DCMAKE_PREFIX_PATH="$folder/moved" >"$folder/log" 2>&1 ||
  { cat "$folder/log"; fail 'the package cannot be found'; }
ninja -C "$folder/outside" -j1 >"$folder/log" || { cat "$folder/log"; fail 'it cannot be built against'; }
parquet=''
! grep -q '^MOESCOPE_WITH_ARROW:BOOL=ON' "$build/CMakeCache.txt" || parquet=' parquet'
[[ $("$folder/outside/outside_io") == "1.500$parquet" ]] || fail 'outside_io printed something else'

cmake -S tests/project/package -B "$folder/refused" -G Ninja -DCMAKE_PREFIX_PATH="$folder/moved" \
  -DCMAKE_PROJECT_INCLUDE="$PWD/tests/project/package/no_such_room.cmake" >"$folder/log" 2>&1 &&
  fail 'a room that does not exist was found'
grep -q no_such_room "$folder/log" || fail 'the missing room is not named'

if [[ -x $build/moescope ]]; then
  [[ $("$folder/outside/outside_model" models/tiny-olmoe) == '32 experts' ]] || fail 'outside_model printed something else'
  # Only the installed program's own RPATH may lead it to its libraries.
  env -u LD_LIBRARY_PATH "$folder/moved/bin/moescope" info models/tiny-olmoe >"$folder/log" || fail 'the installed program does not run'

  # What completion offers for `moescope info --r` is what --help names.
  offered=$(bash -c "source '$folder/moved/share/bash-completion/completions/moescope'
    COMP_WORDS=(moescope info --r) COMP_CWORD=2; _moescope; echo \"\${COMPREPLY[*]}\"")
  [[ $offered == --revision ]] || fail "completion offers '$offered'"
  for place in man/man1/moescope.1 zsh/site-functions/_moescope fish/vendor_completions.d/moescope.fish; do
    grep -q -- 'superpose' "$folder/moved/share/$place" || fail "$place knows no superpose"
  done
fi
echo 'installed, found, built against and run'
