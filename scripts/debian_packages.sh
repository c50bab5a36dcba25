# For the scripts that install packages of Debian and Ubuntu; to be sourced. They set $wanted, the words for what is to be
# installed by hand where this fails.

give_up() {
  echo "Error: $1. Install $wanted yourself, then try again." >&2
  exit 1
}

# Puts into the array $root what comes before commands that need root.
find_root() {
  root=()
  [ "$(id -u)" = 0 ] && return
  sudo -n true 2>/dev/null || give_up "installing packages needs root, and sudo asks for a password"
  root=(sudo)
}

# install_packages NAME…: from the distribution's repositories.
install_packages() {
  command -v apt-get >/dev/null || give_up "packages are missing, and this is not Debian or Ubuntu"
  find_root
  echo "Installing $* from the distribution's repositories"
  "${root[@]}" apt-get -qq update || give_up "apt-get update failed"
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends "$@" >/dev/null ||
    give_up "apt-get install failed"
}
