//go:build !linux

package node

import "time"

// slept is by how much more the wall clock went on since a time than the other one, which may stand still while this machine sleeps. Setting the wall clock looks like sleep.
func slept(since time.Time) time.Duration {
	now := time.Now()
	return now.Round(0).Sub(since.Round(0)) - now.Sub(since)
}
