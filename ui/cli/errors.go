package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"earshot/node"
	"earshot/node/identity"
	"earshot/node/message"
)

// The exit statuses. A SIGTERM or SIGHUP that was obeyed is a clean end (ExitDone): service managers expect that.
const (
	ExitDone      = 0
	ExitFailure   = 1
	ExitUsage     = 2
	ExitNobody    = 3 // something was to be delivered and nobody was there, or nobody was to be found
	ExitInterrupt = 130
)

// An Error ends the program: one sentence, what can be tried (or nothing), and the exit status.
type Error struct {
	Code       int
	Text, Hint string
}

func (e *Error) Error() string { return e.Text }

func usage(text, hint string) error   { return &Error{ExitUsage, text, hint} }
func failure(text, hint string) error { return &Error{ExitFailure, text, hint} }

// report says what went wrong, once, and returns the exit status.
func report(w io.Writer, err error) int {
	if err == nil {
		return ExitDone
	}
	var asked *signalled
	if errors.As(err, &asked) {
		if asked.signal == os.Interrupt {
			return ExitInterrupt
		}
		return ExitDone
	}
	e := explain(err)
	fmt.Fprintf(w, "earshot: %s\n", printable(e.Text))
	if e.Hint != "" {
		fmt.Fprintf(w, "hint: %s\n", printable(e.Hint))
	}
	return e.Code
}

// explain finds the words for an error of any package.
func explain(err error) *Error {
	var own *Error
	var nodes *node.Error
	var file *fs.PathError // of a folder: files that the user names have hints of their own
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &nodes):
		return &Error{ExitFailure, nodes.Text, nodes.Hint}
	case errors.Is(err, identity.ErrKey):
		return &Error{ExitFailure, err.Error(), "a key is 26 letters and digits, as earshot key show prints it on a machine that has it"}
	case errors.Is(err, identity.ErrExposed):
		what, mend, _ := strings.Cut(err.Error(), ": run ")
		return &Error{ExitFailure, what, mend + "; if somebody may have read it, make a new one"}
	case errors.Is(err, fs.ErrPermission):
		return &Error{ExitFailure, err.Error(), "run it as the user who owns the file, or choose another folder with --data-dir"}
	case errors.As(err, &file) && file.Op != "write":
		return &Error{ExitFailure, err.Error(), "choose another folder with --data-dir"}
	}
	return &Error{ExitFailure, err.Error(), ""}
}

// printable keeps what a path or an argument holds from reaching the terminal as anything but one line of text.
func printable(s string) string {
	s, _ = message.CleanText(s)
	return strings.ReplaceAll(s, "\n", " ")
}
