//go:build !unix

package ui

// stop does nothing where there is no job control.
func stop() {}
