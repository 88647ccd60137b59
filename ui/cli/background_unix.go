//go:build unix

package cli

import (
	"os/signal"
	"syscall"
)

// ignoreBackground keeps a process in the background from being stopped for reading its terminal: reading fails instead. A box that somebody
// started with & would be a hub that stands still.
func ignoreBackground() { signal.Ignore(syscall.SIGTTIN) }
