package main

import "github.com/spf13/cobra"

func (p *program) env() *cobra.Command {
	return parent(&cobra.Command{
		Use:   "env",
		Short: "Secrets in .env: put them in, look over how they are kept",
		Long: `A program takes its secrets from the environment; on your own machine they lie in .env. "env add"
puts one in, "env check" looks for ways in which it could get out, and "lanyard run" starts a
program with them.`,
	}, p.envAdd(), p.envCheck())
}

// envFileFlag lets a command work on another file than .env.
func envFileFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "env-file", envFile, "another file of this form")
}
