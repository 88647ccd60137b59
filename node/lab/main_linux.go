package lab

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

const (
	// envInside is set in the process that runs inside the namespaces; its value is the path of the binary.
	envInside = "EARSHOT_LAB_BINARY"
	// envReason is set instead where there are none: why.
	envReason = "EARSHOT_LAB_REASON"
)

// Main builds the binary, runs the tests inside namespaces, and returns their exit code.
func Main(m *testing.M) int {
	if os.Getenv(envReason) != "" {
		return m.Run()
	}
	if os.Getenv(envInside) != "" {
		if err := enter(); err != nil {
			os.Unsetenv(envInside)
			os.Setenv(envReason, err.Error())
		}
		if err := crowd(); err != nil {
			fmt.Fprintln(os.Stderr, "lab:", err)
			return 1
		}
		return m.Run()
	}
	flag.Parse()
	if list := flag.Lookup("test.list"); list != nil && list.Value.String() != "" {
		return m.Run()
	}
	code, err := outside()
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		return 1
	}
	return code
}

// crowd has more tests run at once than there are processors, unless -parallel says how many: they wait most of the time.
func crowd() error {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if given {
		return nil
	}
	return flag.Set("test.parallel", atOnce)
}

// outside builds the binary and runs this program again, inside.
func outside() (int, error) {
	dir, err := os.MkdirTemp("", "earshot-lab-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "earshot")
	build := exec.Command("go", append([]string{"build", "-o", binary}, append(buildFlags, "earshot")...)...)
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build the binary: %w\n%s", err, out)
	}
	// The inner process is killed when the thread that started it ends: that must be this goroutine's, which stays.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd, err := start(binary)
	if err != nil {
		return 0, err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	defer signal.Stop(signals)
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case s := <-signals:
				cmd.Process.Signal(s)
			case <-done:
				return
			}
		}
	}()
	err = cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	if code := cmd.ProcessState.ExitCode(); code >= 0 {
		return code, nil
	}
	return 0, err
}

// start runs this program in new namespaces or, where there are none to be had, without.
func start(binary string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command := func(env string) *exec.Cmd {
		cmd := exec.Command(self, os.Args[1:]...)
		cmd.Env = append(os.Environ(), env)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		return cmd
	}
	const own = syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID
	cmd := command(envInside + "=" + binary)
	if os.Getuid() == 0 {
		cmd.SysProcAttr.Cloneflags = own
		if cmd.Start() == nil {
			return cmd, nil
		}
		cmd = command(envInside + "=" + binary)
	}
	cmd.SysProcAttr.Cloneflags = own | syscall.CLONE_NEWUSER
	cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
	cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	if err = cmd.Start(); err == nil {
		return cmd, nil
	}
	cmd = command(envReason + "=" + fmt.Sprintf("no namespaces: %v", err))
	return cmd, cmd.Start()
}

// enter makes the mounts of this process its own, with an empty folder for named network namespaces.
func enter() error {
	for _, tool := range []string{"ip", "nsenter"} {
		if _, err := exec.LookPath(tool); err != nil {
			return err
		}
	}
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	if err := syscall.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mount /run: %w", err)
	}
	if err := os.Mkdir(netnsDir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	// The process namespace has a /proc of its own where that may be mounted; where not, only the pids in it are wrong.
	syscall.Mount("proc", "/proc", "proc", 0, "")
	return nil
}
