//go:build !unix

package ui

import "syscall"

// stop does nothing where there is no job control.
func stop() {}

// apart is nothing to ask for where programs are not bound to a terminal.
func apart() *syscall.SysProcAttr { return nil }
