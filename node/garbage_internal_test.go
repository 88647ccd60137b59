package node

import "testing"

func TestGarbage(t *testing.T) {
	const mb = 1 << 20
	for _, test := range []struct{ usual, live, tails, want int }{
		{100, 5 * mb, 1 * mb, 100},
		{100, 20 * mb, 1 * mb, 95},
		{100, 150 * mb, 0, 100}, // ten thousand links
		{100, 80 * mb, 64 * mb, 20},
		{100, 164 * mb, 64 * mb, 60},
		{100, 40 * mb, 64 * mb, 40}, // it was filled since the last collection
		{50, 164 * mb, 64 * mb, 50},
		{400, 80 * mb, 64 * mb, 400},
		{100, 0, 0, 100},
	} {
		if got := garbage(test.usual, test.live, test.tails); got != test.want {
			t.Errorf("%+v: %d", test, got)
		}
	}
}
