module agentxchain

go 1.26
