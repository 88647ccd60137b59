package cli

import (
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
)

// Who reads the output may have seen enough; anything else that goes wrong is told.
func TestPrint(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{fmt.Errorf("write: %w", syscall.EPIPE), ""},
		{syscall.ENOSPC, "print: " + syscall.ENOSPC.Error()},
	} {
		err := Print(func(io.Writer) error { return c.err })
		if got := fmt.Sprint(err); err == nil && c.want != "" || err != nil && got != c.want {
			t.Errorf("%v: %v", c.err, err)
		}
	}
}

func TestPrintJSON(t *testing.T) {
	var b strings.Builder
	if err := PrintJSON(&b, "<b>", "two"); err != nil || b.String() != "\"<b>\"\n\"two\"\n" {
		t.Errorf("%q, %v", b.String(), err)
	}
	if err := PrintJSON(&b, make(chan int)); err == nil {
		t.Error("a channel was printed")
	}
}

// The help names every flag.
func TestHelpIsWhole(t *testing.T) {
	var text strings.Builder
	if err := help(&text); err != nil {
		t.Fatal(err)
	}
	for _, s := range (&options{}).settings() {
		if !strings.Contains(text.String(), " --"+s.name) {
			t.Errorf("--%s is missing", s.name)
		}
	}
}
