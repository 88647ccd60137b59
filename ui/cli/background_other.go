//go:build !unix

package cli

func ignoreBackground() {} // no such thing
