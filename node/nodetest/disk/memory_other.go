//go:build !linux

package disk

import "testing"

// InMemory runs the tests of a package.
func InMemory(m *testing.M) int { return m.Run() }
