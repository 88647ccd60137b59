//go:build unix

package ui

import "syscall"

// stop stops the process and those started with it, as Ctrl-Z does where nobody has taken the key; it returns when they go on.
func stop() { _ = syscall.Kill(0, syscall.SIGTSTP) }
