//go:build !unix

package identity

const canWriteNow = false

func writeNow(uintptr, []byte) int { return 0 }

func readable(uintptr) bool { return false }
