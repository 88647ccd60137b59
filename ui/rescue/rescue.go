//go:build unix

// Package rescue puts the terminal right when the process dies where nothing can be deferred: a panic in a library's goroutine, a fatal error of the runtime, a kill.
//
// While the full screen is up a second process of this program watches the first one through a pipe, to which the runtime also writes what it says when it crashes
// (debug.SetCrashOutput). At the first byte of that, or when the pipe ends without the word that all is well, the watcher restores the terminal's mode and leaves the
// alternate screen, and then prints the crash, readable. It acts while the crash is still being written: the first process cannot finish that before, because the pipe is
// short, so the shell does not get the terminal back too early. After a kill there is nothing to wait for; then the mode is the shell's to mend, and only the screen is left.
package rescue

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime/debug"
	"syscall"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// watcher is set in the environment of the watching process.
const watcher = "EARSHOT_RESCUE"

const (
	// well is what the first process says when it ends in good order.
	well = "\x04well\n"
	// leave ends what a full screen may have switched on: mouse, focus and paste reports, keypad, colours, the alternate screen, a title; and shows the cursor.
	leave = "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1004l\x1b[?2004l\x1b[?1007r\x1b[?1l\x1b>\x1b[0m\x1b[?1049l\x1b[23;2t\x1b[?25h\r"
	// crashKept bounds the bytes of a crash that are printed.
	crashKept = 1 << 20
)

// Watching reports whether this process is a watcher; then it has done its work. It is called first of all.
func Watching() bool {
	if os.Getenv(watcher) == "" {
		return false
	}
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT) // the terminal sends them to everything in the foreground
	watch(os.Stdin, os.Stdout, os.NewFile(3, "ready"))
	return true
}

// watch waits for the end of the first process, on in.
func watch(in io.Reader, tty *os.File, ready io.Closer) {
	mode, err := term.GetState(int(tty.Fd()))
	ready.Close()
	r := bufio.NewReaderSize(io.LimitReader(in, crashKept), 16)
	first, _ := r.Peek(len(well))
	if string(first) == well {
		return
	}
	if len(first) > 0 && err == nil {
		term.Restore(int(tty.Fd()), mode)
	}
	io.WriteString(tty, leave)
	io.Copy(tty, r)
	io.Copy(io.Discard, in)
}

// Watch starts a watcher for the terminal tty. end says that all is well; it is called when the terminal has been restored, and waits for the watcher to end.
// Without a watcher everything works but the rescue: so it is on systems other than Unix, where Watch fails.
func Watch(tty *os.File) (end func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	in, out, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	shorten(out)
	isReady, ready, err := os.Pipe()
	if err != nil {
		out.Close()
		return nil, err
	}
	defer isReady.Close()
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), watcher+"=1")
	cmd.Stdin, cmd.Stdout = in, tty
	cmd.ExtraFiles = []*os.File{ready}
	err = cmd.Start()
	ready.Close()
	if err == nil {
		io.Copy(io.Discard, isReady) // until it has seen the terminal as it was
		err = debug.SetCrashOutput(out, debug.CrashOptions{})
	}
	if err != nil {
		out.Close()
		return nil, err
	}
	debug.SetTraceback("all") // long enough to be read while it is written
	restore := silence()
	return func() {
		restore()
		debug.SetCrashOutput(nil, debug.CrashOptions{})
		io.WriteString(out, well) // where that fails the watcher is gone, and nothing needs rescue
		out.Close()
		cmd.Wait()
	}, nil
}

// silence keeps what anything writes to stderr off the screen until restore; a crash goes to the watcher.
func silence() (restore func()) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return func() {}
	}
	defer null.Close()
	saved, err := unix.FcntlInt(2, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return func() {}
	}
	if err := unix.Dup2(int(null.Fd()), 2); err != nil {
		unix.Close(saved)
		return func() {}
	}
	return func() {
		unix.Dup2(saved, 2)
		unix.Close(saved)
	}
}
