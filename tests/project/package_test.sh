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

# The examples are a project of their own, too; one of them is enough to build.
cmake -S examples -B "$folder/examples" -G Ninja -DCMAKE_PREFIX_PATH="$folder/moved" >"$folder/log" 2>&1 ||
  { cat "$folder/log"; fail 'the examples cannot be configured'; }
ninja -C "$folder/examples" -j1 strongest_windows >"$folder/log" || { cat "$folder/log"; fail 'the examples cannot be built'; }
"$folder/examples/strongest_windows" "$folder/no-run" 0 0 2>"$folder/log" && fail 'a folder that is not there was read'
grep -q 'no run.json' "$folder/log" || { cat "$folder/log"; fail 'the missing run.json is not named'; }

cmake -S tests/project/package -B "$folder/refused" -G Ninja -DCMAKE_PREFIX_PATH="$folder/moved" \
  -DCMAKE_PROJECT_INCLUDE="$PWD/tests/project/package/no_such_room.cmake" >"$folder/log" 2>&1 &&
  fail 'a room that does not exist was found'
grep -q no_such_room "$folder/log" || fail 'the missing room is not named'

if [[ -x $build/moescope ]]; then
  [[ $("$folder/outside/outside_model" models/tiny-olmoe) == '32 experts' ]] || fail 'outside_model printed something else'
  # Only the installed program's own RPATH may lead it to its libraries.
  env -u LD_LIBRARY_PATH "$folder/moved/bin/moescope" info models/tiny-olmoe >"$folder/log" || fail 'the installed program does not run'

  # What completion offers is what --help names, of every command.
  share=$folder/moved/share
  for command in $("$build/moescope" --help | sed -nE '/^Commands:/,$ s/^  ([a-z]+) .*/\1/p'); do
    named=$("$build/moescope" "$command" --help | grep -E '^  -' | cut -c 1-30 | grep -oE -- '--[a-z][a-z0-9-]*' | sort -u)
    offered=$(bash -c "source '$share/bash-completion/completions/moescope'
      COMP_WORDS=(moescope $command --) COMP_CWORD=2; _moescope; printf '%s\n' \"\${COMPREPLY[@]}\"" | sort -u)
    [[ $offered == "$named" ]] || fail "completion of $command offers" $offered "and --help names" $named
    for flag in $named; do
      grep -qE "seen_subcommand_from $command' -l ${flag#--} -d '[^']{4}" "$share/fish/vendor_completions.d/moescope.fish" ||
        fail "fish does not know $command $flag or says nothing of it"
      grep -qE "^ +$command\) .* $flag " "$share/zsh/site-functions/_moescope" || fail "zsh does not know $command $flag"
    done
  done
  for place in man/man1/moescope.1 zsh/site-functions/_moescope fish/vendor_completions.d/moescope.fish; do
    grep -q -- 'superpose' "$share/$place" || fail "$place knows no superpose"
  done
fi
echo 'installed, found, built against and run'
