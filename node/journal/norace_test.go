//go:build !race

package journal_test

const race = false
