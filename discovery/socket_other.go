//go:build !linux

package discovery

import "syscall"

// ownGroupsOnly has nothing to do: only Linux gives a socket the multicast of interfaces where it did not join.
func ownGroupsOnly(string, string, syscall.RawConn) error { return nil }
