//go:build unix

package ui

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

// stop stops the process and those started with it, as Ctrl-Z does where nobody has taken the key; it returns when they go on. The
// signal stops this thread a little after it was sent: what follows must not touch the terminal before. Where there is nobody to make
// the process go on, the system ignores the signal, and stop returns after a while.
func stop() {
	goesOn := make(chan os.Signal, 1)
	signal.Notify(goesOn, syscall.SIGCONT)
	defer signal.Stop(goesOn)
	_ = syscall.Kill(0, syscall.SIGTSTP)
	select {
	case <-goesOn:
	case <-time.After(300 * time.Millisecond):
	}
}

// apart has a program started in a session of its own, which has no terminal: neither what stops this one nor the end of the terminal reaches it, and it cannot write over the screen.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
