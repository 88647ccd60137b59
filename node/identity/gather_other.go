//go:build !unix

package identity

const canWriteNow = false

func writeNow(uintptr, []byte) int { return 0 }
