package shell

import (
	"fmt"
	"strings"
)

func sudo(c *call) int {
	args := c.args
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		args = args[1:]
	}
	sub := c.fork()
	sub.user = c.m.account("root")
	if len(args) == 0 {
		c.user = sub.user
		return 0
	}
	return sub.call(args, c.streams)
}

// su asks for no password: whoever got in gets on.
func su(c *call) int {
	_, names := options(c.args)
	name := "root"
	if len(names) > 0 {
		name = names[0]
	}
	if name != "root" && name != c.m.user {
		return c.fail("user %s does not exist or the user entry does not contain all the required fields", name)
	}
	c.user = c.m.account(name)
	c.vars["HOME"], c.vars["USER"] = c.user.home, name
	return 0
}

// hidden asks for a text that is not shown.
func (c *call) hidden(prompt string) string {
	c.printf("%s", prompt)
	if c.in.hide != nil {
		c.in.hide(true)
		defer c.in.hide(false)
	}
	line, _ := c.in.line()
	c.printf("\n")
	return line
}

func passwd(c *call) int {
	name := c.user.name
	if _, names := options(c.args); len(names) > 0 {
		name = names[0]
	}
	if !c.m.bash {
		c.printf("Changing password for %s\n", name)
	}
	first := c.hidden("New password: ")
	second := c.hidden("Retype new password: ")
	c.newPassword(name, first)
	if first != second {
		_, _ = fmt.Fprint(c.err, "Sorry, passwords do not match.\npasswd: Authentication token manipulation error\npasswd: password unchanged\n")
		return 10
	}
	if first == "" {
		_, _ = fmt.Fprint(c.err, "No password has been supplied.\npasswd: Authentication token manipulation error\npasswd: password unchanged\n")
		return 10
	}
	if c.m.bash {
		_, _ = fmt.Fprint(c.err, "passwd: password updated successfully\n")
	} else {
		c.printf("passwd: password for %s changed by %s\n", name, c.user.name)
	}
	return 0
}

func chpasswd(c *call) int {
	for _, line := range split(c.all()) {
		if name, password, ok := strings.Cut(line, ":"); ok {
			c.newPassword(name, password)
		}
	}
	return 0
}

func crontab(c *call) int {
	flags, names := options(c.args)
	switch {
	case strings.Contains(flags, "l"):
		if *c.cron == "" {
			_, _ = fmt.Fprintf(c.err, "no crontab for %s\n", c.user.name)
			return 1
		}
		c.printf("%s", *c.cron)
	case strings.Contains(flags, "r"):
		*c.cron = ""
	case len(names) > 0 || len(c.args) == 0:
		text, ok := c.text(names)
		if !ok {
			return 1
		}
		*c.cron = text[:min(len(text), 4096)]
	}
	return 0
}
