//go:build unix

package rescue

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/term"
)

const act = "RESCUE_TEST_ACT"

func TestMain(m *testing.M) {
	if Watching() {
		return
	}
	if os.Getenv(act) != "" {
		play(os.Getenv(act))
		return
	}
	os.Exit(m.Run())
}

// play is a full-screen program that ends in some way.
func play(how string) {
	end, err := Watch(os.Stdout)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	mode, err := term.MakeRaw(int(os.Stdin.Fd()))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Print("\x1b[?1049hfull screen")
	fmt.Fprint(os.Stderr, "stray words")
	switch how {
	case "well":
		term.Restore(int(os.Stdin.Fd()), mode)
		end()
		fmt.Print("done")
	case "panic":
		go panic("in a goroutine")
		select {}
	case "kill":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
}

func TestTheTerminalIsPutRight(t *testing.T) {
	for how, want := range map[string]string{"well": "done", "panic": "panic: in a goroutine", "kill": leave} {
		t.Run(how, func(t *testing.T) {
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			master, tty, err := pty.Open()
			if err != nil {
				t.Skipf("no pseudo-terminal: %v", err)
			}
			defer master.Close()
			before, err := term.GetState(int(tty.Fd()))
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(self)
			cmd.Env = append(os.Environ(), act+"="+how)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			read := func(until string) {
				b := make([]byte, 4096)
				for !strings.Contains(out.String(), until) {
					n, err := master.Read(b)
					out.Write(b[:n])
					if err != nil {
						t.Fatalf("%v after %q", err, out.String())
					}
				}
			}
			read(want)
			cmd.Wait()
			if strings.Contains(out.String(), "stray words") {
				t.Errorf("what was written to stderr is on the screen: %q", out.String())
			}
			if how == "well" && strings.Contains(out.String(), leave) {
				t.Errorf("the screen was left twice: %q", out.String())
			}
			if how == "panic" && strings.Index(out.String(), leave) > strings.Index(out.String(), want) {
				t.Errorf("the crash was printed into the full screen: %q", out.String())
			}
			if how == "kill" {
				return // the mode is the shell's
			}
			if after, err := term.GetState(int(tty.Fd())); err != nil || *after != *before {
				t.Errorf("the terminal's mode is %+v, was %+v (%v)", after, before, err)
			}
		})
	}
}
