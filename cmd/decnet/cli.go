package main

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
)

// cli is the command line. Its names of commands and flags are a promise to
// scripts: change them only with a line in CHANGELOG.md.
type cli struct {
	Serve   serveCommand   `cmd:"" help:"Read logs, store their events and answer the API."`
	User    userCommands   `cmd:"" help:"Manage the accounts of the API, also while it serves."`
	Fleet   fleetCommands  `cmd:"" help:"Look at the fleet of decoys."`
	Import  importCommand  `cmd:"" help:"Read log files into the database, and tell what became of their lines. Can be interrupted and repeated."`
	Explain explainCommand `cmd:"" help:"Tell what would become of one line: its events, or why there are none."`
	Backup  backupCommand  `cmd:"" help:"Copy the database into a file, also while it is served."`
	Check   checkCommand   `cmd:"" help:"Look whether the database is whole and its counts are right; exit code 1 when they are not."`
	Bench   benchCommands  `cmd:"" help:"Make data, and measure a service under load."`
	Decoy   decoyCommand   `cmd:"" hidden:"" help:"Run one decoy in a container. serve --driver=docker calls this."`
	Version struct{}       `cmd:"" help:"Print the version, the commit and the Go release it was built with."`
}

type serveCommand struct {
	config
}

// Help is shown below the sentence of the command.
func (serveCommand) Help() string { return secretHelp(reflect.TypeFor[config]()) }

type userCommands struct {
	Add   userAddCommand   `cmd:"" help:"Make an account. The password is asked for, or read from standard input when that is no terminal."`
	Reset userResetCommand `cmd:"" help:"Give an account a new password, which also ends its tokens within two seconds."`
	List  userListCommand  `cmd:"" help:"List the accounts."`
}

type fleetCommands struct {
	Plan fleetPlanCommand `cmd:"" help:"Tell what deploying an INI file would lead to, and deploy nothing. Exit code 1 when it cannot be deployed."`
}

type passwordOptions struct {
	Generate   bool `help:"Make a random password and print it; it must be changed at the next login."`
	MustChange bool `help:"The password must be changed at the next login, also when it was typed."`
}

type userAddCommand struct {
	Name string `arg:"" help:"Name to log in with, 1 to 64 bytes."`
	Role string `default:"viewer" enum:"admin,viewer" help:"What the account may do: a viewer reads, an admin reads and writes."`
	passwordOptions
	storeOptions
}

type userResetCommand struct {
	Name string `arg:"" help:"Name of the account."`
	passwordOptions
	storeOptions
}

type userListCommand struct {
	storeOptions
}

// errHelpShown says that the command line asked only for help, and got it.
var errHelpShown = errors.New("help was shown")

// parse reads the command line. Flags override variables, which override
// defaults; an empty variable counts as not set. The environment is a function,
// so that tests need not change that of the process. A returned error is a fault
// of the caller, or errHelpShown.
func parse(args []string, getenv func(string) string, stdout, stderr io.Writer) (*cli, string, error) {
	var (
		c     cli
		bad   faults
		shown bool
	)
	parser, err := kong.New(&c,
		kong.Name("decnet"),
		kong.Description("Turns the logs of honeypots into an API: events, attackers, bounties, a live stream."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(int) { shown = true }),
		kong.FlagNamer(flagName),
		kong.ValueFormatter(withVariable),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Resolvers(environment(getenv, &bad)),
	)
	if err != nil {
		return nil, "", fmt.Errorf("build the command line: %w", err)
	}
	ctx, err := parser.Parse(args)
	if shown {
		return nil, "", errHelpShown
	}
	if err != nil {
		return nil, "", faults{err.Error() + `; see "decnet --help".`}
	}
	command, _, _ := strings.Cut(ctx.Command(), " <")
	bad = append(bad, c.check(command, getenv)...)
	return &c, command, bad.orNil()
}

// check completes the chosen command's options and validates them.
func (c *cli) check(command string, getenv func(string) string) faults {
	var bad faults
	switch command {
	case "serve":
		c.Serve.setSecrets(getenv)
		for _, err := range []error{c.Serve.readSecretFiles(), c.Serve.validate()} {
			if more := (faults)(nil); errors.As(err, &more) {
				bad = append(bad, more...)
			}
		}
	case "import":
		c.Import.validate(&bad)
	case "explain":
		c.Explain.validate(&bad)
	case "backup":
		bad.check(c.Backup.File != "", "backup needs the name of a file.")
		c.Backup.validate(&bad)
	case "check":
		c.Check.validate(&bad)
	case "bench seed":
		c.Bench.Seed.validate(&bad)
	case "bench load":
		c.Bench.Load.validate(&bad, getenv)
	case "decoy":
		c.Decoy.validate(&bad)
	case "fleet plan":
		bad.check(c.Fleet.Plan.DataDir != "", "--data-dir (DECNET_DATA_DIR) needs the name of a directory.")
	case "user add":
		bad.check(c.User.Add.Name != "" && len(c.User.Add.Name) <= maxUsername, "A name must have 1 to %d bytes.", maxUsername)
		c.User.Add.validate(&bad)
	case "user reset":
		c.User.Reset.validate(&bad)
	case "user list":
		c.User.List.validate(&bad)
	}
	return bad
}

// setSecrets fills in the fields that have a variable but no flag.
func (c *config) setSecrets(getenv func(string) string) {
	value := reflect.ValueOf(c).Elem()
	for _, o := range optionTable(value.Type()) {
		if o.Secret {
			value.FieldByIndex(o.index).SetString(getenv(o.Variable))
		}
	}
}

// environment resolves flags that are not on the command line. The parser has
// such a thing built in, but that reads the process's environment, and prints the
// value of a variable that it can't read. A value of the wrong type is added to
// bad, where the other faults are, instead of ending the parse.
func environment(getenv func(string) string, bad *faults) kong.Resolver {
	return kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		variable := flag.Tag.Get("variable")
		if variable == "" {
			return nil, nil
		}
		text := getenv(variable)
		if text == "" {
			return nil, nil
		}
		value, want := typed(text, flag.Target.Kind())
		bad.check(value != nil, "--%s (%s) must be %s.", flag.Name, variable, want)
		return value, nil
	})
}

// typed reads a variable's text as a kind of field. It returns nil, and what was
// wanted, for text that it can't read.
func typed(text string, kind reflect.Kind) (value any, want string) {
	switch kind {
	case reflect.Int:
		if n, err := strconv.Atoi(text); err == nil {
			return n, ""
		}
		return nil, "a whole number"
	case reflect.Bool:
		if b, err := strconv.ParseBool(text); err == nil {
			return b, ""
		}
		return nil, "true or false"
	default:
		return text, ""
	}
}

// withVariable puts an option's variable behind its sentence in --help.
func withVariable(value *kong.Value) string {
	if variable := value.Tag.Get("variable"); variable != "" {
		return value.Help + " ($" + variable + ")"
	}
	return value.Help
}
