//go:build unix

package ui

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// jobControl has told be sent a signal when somebody else stops the process (SIGTSTP), or when it goes on (SIGCONT): where it was stopped without being asked, the terminal is as a shell left it.
func jobControl(told chan<- os.Signal) { signal.Notify(told, syscall.SIGTSTP, syscall.SIGCONT) }

// stop stops the process and those started with it, as Ctrl-Z does where nobody has taken the key; it returns when they go on, at once where that is why it is called, and where they are the
// first of the terminal's session: there is no shell that would have them go on. It stops them by SIGSTOP, for Go ignores a SIGTSTP that it was once asked to tell of. The
// signal stops this thread a little after it was sent: what follows must not touch the terminal before.
func stop(why os.Signal, told chan<- os.Signal) {
	if session, err := unix.Getsid(0); err != nil || session == syscall.Getpgrp() || why == syscall.SIGCONT {
		return
	}
	goesOn := make(chan os.Signal, 1)
	signal.Notify(goesOn, syscall.SIGCONT)
	signal.Stop(told) // it is not to be told of this
	_ = syscall.Kill(0, syscall.SIGSTOP)
	<-goesOn
	signal.Stop(goesOn)
	jobControl(told)
}

// apart has a program started in a session of its own, which has no terminal: neither what stops this one nor the end of the terminal reaches it, and it cannot write over the screen.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
