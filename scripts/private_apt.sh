# For scripts that download packages of Debian and install none; to be sourced, with $needs set: what needs them.
# Sets $work, a folder that goes when the script ends.

give_up() {
  echo "Error: $1; $needs" >&2
  exit 1
}
for tool in apt-get dpkg; do
  command -v $tool >/dev/null || give_up "there is no $tool here, only Debian and Ubuntu have it"
done
keys=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r $keys ] || give_up "there is no $keys (apt-get install debian-archive-keyring)"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# fetch ARCHITECTURE SUITE COMMAND…: apt with a state of its own, in which nothing is installed yet. Of SUITE-source it
# reads the list of source packages.
fetch() {
  local architecture=$1 suite=$2 kind=deb state=$work/$1-$2
  shift 2
  [[ $suite = *-source ]] && kind=deb-src
  mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
  : >"$state/status"
  echo "$kind [signed-by=$keys] http://deb.debian.org/debian ${suite%-source} main" >"$state/sources.list"
  chmod -R a+rX "$work"
  local options=(-qq -o APT::Architecture="$architecture" -o APT::Architectures="$architecture"
    -o Dir::Etc::SourceList="$state/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::State="$state"
    -o Dir::State::Lists="$state/lists" -o Dir::State::status="$state/status" -o Dir::Cache="$state/cache"
    -o APT::Sandbox::User= -o Debug::NoLocking=1)
  apt-get "${options[@]}" update || give_up "apt-get update of $suite failed"
  (cd "$state" && apt-get "${options[@]}" "$@") || give_up "apt-get $* failed"
}
