package exchange

import (
	"testing"
	"testing/synctest"
)

// Who comes while another writes has that one look again, and nobody writes after the end.
func TestTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var u turn
		if u.take() {
			t.Error("taken before it is open")
		}
		u.set(true)
		if !u.take() || u.take() {
			t.Fatal("not taken by one")
		}
		if u.done() {
			t.Error("given back though there is something new")
		}
		if !u.done() || !u.take() {
			t.Error("not given back, or not taken again")
		}
		ended := false
		go func() {
			u.end()
			ended = true
		}()
		synctest.Wait()
		if ended {
			t.Error("ended while somebody writes")
		}
		if u.take() || !u.done() {
			t.Error("goes on after the end")
		}
		synctest.Wait()
		if !ended || u.take() {
			t.Error("not ended")
		}
	})
}
