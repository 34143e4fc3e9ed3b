// Command faust runs stream-processing apps written in Lua.
package main

import (
	"os"
	_ "time/tzdata" // time zones, on machines that have none

	_ "golang.org/x/crypto/x509roots/fallback" // root certificates, likewise

	"faust/cmd/faust/cli"
)

// run is the command.
var run = cli.Main

func main() { os.Exit(run()) }
