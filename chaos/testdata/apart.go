package time

import "syscall"

// apart is by how many seconds this process's clock is wrong.
var apart = func() int64 {
	setting, _ := syscall.Getenv("HANDOVER_CHAOS_CLOCK")
	n, _ := atoi(setting)
	return int64(n)
}()
