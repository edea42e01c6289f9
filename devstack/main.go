// Command devstack runs all of Handover in one process on a laptop, and the demo.
package main

import (
	_ "time/tzdata" // effective dates need time zones where the machine has none

	"handover/internal/app"
)

func main() { app.Main(rootCommand()) }
