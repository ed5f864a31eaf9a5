// Command agentxchain tells people and systems what governed AI-agent runs
// are doing, and keeps evidence of every attempt to tell them.
package main

import (
	"os"

	"agentxchain/cmd"
)

func main() { os.Exit(cmd.Main()) }
