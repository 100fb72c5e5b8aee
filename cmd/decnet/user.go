package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/google/uuid"
	"golang.org/x/term"

	"decnet/auth"
	"decnet/repo"
	"decnet/repo/sqlite"
)

// bcryptCost makes a check of a password take about 0.3 s on a core, which is
// what makes guessing stolen hashes expensive.
const bcryptCost = 12

func (p process) userAdd(ctx context.Context, c *userAddCommand) error {
	return p.withStore(ctx, &c.storeOptions, func(store *sqlite.Store) error {
		password, mustChange, err := p.newPassword(ctx, &c.passwordOptions)
		if err != nil {
			return err
		}
		user, err := p.newUser(ctx, c.Name, repo.Role(c.Role), password, mustChange)
		if err != nil {
			return err
		}
		err = store.CreateUser(ctx, user)
		if errors.Is(err, repo.ErrConflict) {
			return fmt.Errorf("there is already an account named %s", printable(c.Name))
		}
		if err != nil {
			return err
		}
		return p.reportPassword(&c.passwordOptions, "Added", c.Name, password, mustChange)
	})
}

func (p process) userReset(ctx context.Context, c *userResetCommand) error {
	return p.withStore(ctx, &c.storeOptions, func(store *sqlite.Store) error {
		user, err := store.UserByName(ctx, c.Name)
		if errors.Is(err, repo.ErrNotFound) {
			return fmt.Errorf("there is no account named %s; decnet user list shows them", printable(c.Name))
		}
		if err != nil {
			return err
		}
		password, mustChange, err := p.newPassword(ctx, &c.passwordOptions)
		if err != nil {
			return err
		}
		hash, err := p.hash(ctx, password)
		if err != nil {
			return err
		}
		if err := store.SetPassword(ctx, user.UUID, hash, mustChange); err != nil {
			return err
		}
		return p.reportPassword(&c.passwordOptions, "Reset", c.Name, password, mustChange)
	})
}

func (p process) userList(ctx context.Context, c *userListCommand) error {
	return p.withStore(ctx, &c.storeOptions, func(store *sqlite.Store) error {
		users, err := store.Users(ctx)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(w, "NAME\tROLE\tMUST CHANGE PASSWORD\tCREATED\tUUID")
		for _, u := range users {
			change := "no"
			if u.MustChangePassword {
				change = "yes"
			}
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n",
				printable(u.Username), u.Role, change, u.CreatedAt.UTC().Format(time.DateTime), u.UUID)
		}
		return w.Flush()
	})
}

// withStore opens a database that exists. A missing one is more likely a wrong
// directory than a wish for an empty database.
func (p process) withStore(ctx context.Context, o *storeOptions, do func(*sqlite.Store) error) (err error) {
	path, err := o.databasePath()
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no database %s: say where it is with --data-dir (DECNET_DATA_DIR), or make it with decnet serve", path)
	}
	store, err := openStore(ctx, path, p.now, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return do(store)
}

// newUser makes an account; nothing is stored yet.
func (p process) newUser(ctx context.Context, name string, role repo.Role, password string, mustChange bool) (repo.User, error) {
	hash, err := p.hash(ctx, password)
	if err != nil {
		return repo.User{}, err
	}
	id, err := uuid.NewRandom()
	if err != nil {
		return repo.User{}, fmt.Errorf("make an account's id: %w", err)
	}
	return repo.User{
		UUID: id.String(), Username: name, PasswordHash: hash, Role: role,
		MustChangePassword: mustChange, CreatedAt: p.now().UTC(),
	}, nil
}

func (p process) hash(ctx context.Context, password string) (string, error) {
	passwords, err := auth.NewPasswords(p.bcryptCost, p.now)
	if err != nil {
		return "", err
	}
	return passwords.Hash(ctx, password)
}

// newPassword makes, asks for or reads a password.
func (p process) newPassword(ctx context.Context, o *passwordOptions) (password string, mustChange bool, err error) {
	if o.Generate {
		return generatePassword(), true, nil
	}
	password, err = p.readPassword(ctx)
	if err != nil {
		return "", false, err
	}
	return password, o.MustChange, validPassword(password)
}

// readPassword asks twice at a terminal, where it shows nothing of what is
// typed; elsewhere it reads the first line.
func (p process) readPassword(ctx context.Context) (string, error) {
	if f, ok := p.stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		first, err := p.ask(ctx, f, "Password: ")
		if err != nil {
			return "", err
		}
		second, err := p.ask(ctx, f, "Again: ")
		if err != nil {
			return "", err
		}
		if first != second {
			return "", errors.New("the two passwords differ")
		}
		return first, nil
	}
	line, err := bufio.NewReader(io.LimitReader(p.stdin, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password from standard input: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// ask reads a line without echo. When a signal ends ctx, the terminal is given
// its echo back; the read itself can't be ended, but the program soon is.
func (p process) ask(ctx context.Context, f *os.File, prompt string) (string, error) {
	state, err := term.GetState(int(f.Fd()))
	if err != nil {
		return "", fmt.Errorf("terminal: %w", err)
	}
	_, _ = fmt.Fprint(p.stderr, prompt)
	type answer struct {
		text []byte
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		text, err := term.ReadPassword(int(f.Fd()))
		answers <- answer{text, err}
	}()
	select {
	case a := <-answers:
		_, _ = fmt.Fprintln(p.stderr)
		if a.err != nil {
			return "", fmt.Errorf("read the password: %w", a.err)
		}
		return string(a.text), nil
	case <-ctx.Done():
		_ = term.Restore(int(f.Fd()), state)
		_, _ = fmt.Fprintln(p.stderr)
		return "", context.Cause(ctx)
	}
}

// reportPassword prints a generated password alone on standard output, for
// scripts, and all else on standard error.
func (p process) reportPassword(o *passwordOptions, did, name, password string, mustChange bool) error {
	then := "."
	if mustChange {
		then = "; the password must be changed at the next login."
	}
	_, _ = fmt.Fprintf(p.stderr, "%s %s%s\n", did, printable(name), then)
	if !o.Generate {
		return nil
	}
	_, err := fmt.Fprintln(p.stdout, password)
	return err
}

// generatePassword returns 130 random bits in letters and digits that are not
// easily mistaken for each other.
func generatePassword() string { return rand.Text() }

// printable makes text of others harmless to a terminal: what is no visible
// character, such as an escape or a mark that turns the writing direction, is
// shown as its code.
func printable(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) && r != unicode.ReplacementChar {
			b.WriteRune(r)
			continue
		}
		fmt.Fprintf(&b, `\u%04x`, r)
	}
	return b.String()
}
