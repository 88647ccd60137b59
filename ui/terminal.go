package ui

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"earshot/ui/cell"
)

// raw sends a control sequence to the terminal, through tmux where that is in between (tmux's allow-passthrough). Nobody's text may be in it but as
// cell.Line leaves it, or encoded.
func (a *app) raw(sequence string) {
	tty, ok := a.screen.Tty()
	if !ok {
		return
	}
	if a.getenv("TMUX") != "" {
		sequence = "\x1bPtmux;" + strings.ReplaceAll(sequence, "\x1b", "\x1b\x1b") + "\x1b\\"
	}
	if _, err := tty.Write([]byte(sequence)); err != nil {
		a.log.Debug("write to the terminal", "err", err)
	}
}

// copyText puts text into the clipboard of the terminal, wherever that is (xterm's OSC 52). tmux takes that from programs only where it is told to, but from its own command
// always, and passes it on.
func (a *app) copyText(text string) {
	a.tell("copied, if the terminal allows it", hubFlash)
	a.screen.SetClipboard([]byte(text))
	if a.getenv("TMUX") == "" {
		return
	}
	a.start(func() {
		if err := a.pipe(text, "tmux", "load-buffer", "-w", "-"); err != nil {
			a.log.Info("copy through tmux", "err", err)
		}
	})
}

// openLinks opens the last of some addresses of web pages with the system's browser. That cannot be seen from afar: over SSH the address is copied instead.
func (a *app) openLinks(links []string) {
	if len(links) == 0 {
		a.tell("there is no link in it", hubFlash)
		return
	}
	link := links[len(links)-1]
	if a.getenv("SSH_CONNECTION") != "" {
		a.copyText(link)
		return
	}
	name, args := opener(link)
	if err := a.launch(name, args...); err != nil {
		a.copyText(link)
		return
	}
	a.tell("opening "+link, hubFlash)
}

// opener is the command that opens an address with what the user has chosen for it.
func opener(link string) (name string, args []string) {
	switch runtime.GOOS {
	case "darwin":
		return "open", []string{link}
	case "windows":
		return "rundll32", []string{"url.dll,FileProtocolHandler", link}
	}
	return "xdg-open", []string{link}
}

// launch starts a program that may outlive this one, without the terminal.
func launch(name string, args ...string) error {
	c := exec.Command(name, args...)
	c.SysProcAttr = apart()
	if err := c.Start(); err != nil {
		return err
	}
	return c.Process.Release()
}

// pipe runs a program that reads text, and waits for it for a moment.
func pipe(text, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Stdin = strings.NewReader(text)
	return c.Run()
}

// retitle says in the window's title which room this is, and how much is unread elsewhere.
func (a *app) retitle() {
	title := cell.Line(a.here().name) + " - earshot"
	if news, _, _ := a.others(); news > 0 {
		title = fmt.Sprintf("(%d) %s", news, title)
	}
	title = strings.ReplaceAll(title, "$<", "") // which tcell takes for a pause
	if title != a.title {
		a.title = title
		a.screen.SetTitle(title)
	}
}
