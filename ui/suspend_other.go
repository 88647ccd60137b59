//go:build !unix

package ui

import (
	"os"
	"syscall"
)

// jobControl and stop do nothing where there is none.
func jobControl(chan<- os.Signal) {}

func stop(os.Signal, chan<- os.Signal) {}

// apart is nothing to ask for where programs are not bound to a terminal.
func apart() *syscall.SysProcAttr { return nil }
