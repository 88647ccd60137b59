package lab_test

import (
	"strings"
	"testing"

	"earshot/node/lab"
)

func TestSayOneThingAndLeave(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 3)
	listener := start(l, 1)
	l.Wait(soon, "it serves", func() bool { return last(listener, "hub").State == "serving" })
	if _, stderr, status := l.Host(2).Run("build done\n", "--plain"); status != 0 {
		t.Errorf("exit status %d\n%s", status, stderr)
	}
	reads(listener, "build done")

	l.Cut(3)
	_, stderr, status := l.Host(3).Run("anybody?\n", "--plain")
	if status != 3 || !strings.Contains(stderr, "nobody was there") || !strings.Contains(stderr, "hint:") {
		t.Errorf("alone: exit status %d\n%s", status, stderr)
	}
}

func TestTwoOnOneMachine(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 1)
	first := start(l, 1)
	l.Wait(soon, "it serves", func() bool { return last(first, "hub").State == "serving" })
	if _, stderr, status := l.Host(1).Run("", "--plain"); status != 1 || !strings.Contains(stderr, "--profile") {
		t.Errorf("the second on a profile: exit status %d\n%s", status, stderr)
	}
	if _, stderr, status := l.Host(1).Run("", "--plain", "--profile", "third", "--port", "4327"); status != 1 || !strings.Contains(stderr, "4327") {
		t.Errorf("a port that is taken: exit status %d\n%s", status, stderr)
	}
	second := start(l, 1, "--profile", "second", "--nick", "second")
	together(t, l, soon, first, second)
	if port := last(second, "ready").Port; port != 4328 {
		t.Errorf("the second has port %d", port)
	}
	say(second, "from next door")
	reads(first, "from next door")
}
