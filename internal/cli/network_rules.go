package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

// networkRuleCommand is virga network allow and virga network deny.
func networkRuleCommand(a *App, action api.RuleAction, short string) *command.Command {
	return &command.Command{
		Use:   string(action) + " FROM TO[:PORT][/PROTOCOL]",
		Short: short,
		Long: short + ".\n\nFROM and TO are an instance, a group, a label KEY=VALUE, or * for all. Deny wins over allow;\n" +
			"where no rule speaks, the network's policy holds.",
		Example: fmt.Sprintf("  virga network %[1]s web db:5432/tcp\n  virga network %[1]s tier=front tier=back", action),
		Args:    arguments(2, 2),
		Run: func(cmd *command.Command, args []string) error {
			s, err := parseRule(args[0], args[1])
			if err != nil {
				return err
			}
			s.Action = action
			r, err := a.api().CreateRule(cmd.Context(), s)
			if err != nil {
				return err
			}
			fmt.Fprintln(a.Out, api.ShortID(r.ID))
			return nil
		},
	}
}

// parseRule reads FROM and TO[:PORT][/PROTOCOL]. A label's value may have
// both signs in it: what follows the last is a port only when it is a number.
func parseRule(from, to string) (api.RuleSpec, error) {
	s := api.RuleSpec{From: from, To: to}
	if i := strings.LastIndexByte(to, '/'); i >= 0 && (to[i+1:] == "tcp" || to[i+1:] == "udp") {
		s.To, s.Protocol = to[:i], to[i+1:]
	}
	if i := strings.LastIndexByte(s.To, ':'); i >= 0 {
		n, err := strconv.ParseUint(s.To[i+1:], 10, 16)
		if err != nil || n == 0 {
			return s, api.Invalid("to", "%q is not a port", s.To[i+1:]).WithHint("ports are 1 to 65535, such as db:5432/tcp")
		}
		s.To, s.Port = s.To[:i], uint16(n)
	}
	return s, nil
}

var ruleColumns = []column[api.Rule]{
	{"ID", "RULE ID", func(r api.Rule) string { return api.ShortID(r.ID) }},
	{"Action", "ACTION", func(r api.Rule) string { return string(r.Spec.Action) }},
	{"From", "FROM", func(r api.Rule) string { return r.Spec.From }},
	{"To", "TO", func(r api.Rule) string { return r.Spec.To }},
	{"Port", "PORT", rulePort},
	{"Packets", "PACKETS", func(r api.Rule) string { return strconv.FormatUint(r.Packets, 10) }},
	{"Bytes", "BYTES", func(r api.Rule) string { return api.FormatBytes(int64(r.Bytes)) }},
}

func rulePort(r api.Rule) string {
	port, protocol := "any", r.Spec.Protocol
	if r.Spec.Port != 0 {
		port = strconv.Itoa(int(r.Spec.Port))
	}
	if protocol == "" {
		return port
	}
	return port + "/" + protocol
}

func networkRulesCommand(a *App) *command.Command {
	var l listFlags
	cmd := &command.Command{
		Use:     "rules [flags]",
		Short:   "List the rules between instances, with what they have matched",
		Example: "  virga network rules\n  virga network rules rm 4f2k",
		Args:    noCommand,
		Run: func(cmd *command.Command, _ []string) error {
			list, err := a.api().Rules(cmd.Context())
			if err != nil {
				return err
			}
			return listing[api.Rule]{
				columns: ruleColumns, rows: list, objects: list,
				quiet:  func(r api.Rule) string { return api.ShortID(r.ID) },
				object: func(r api.Rule) any { return r },
			}.show(a, l)
		},
	}
	l.register(cmd.Flags())
	cmd.Add(&command.Command{
		Use: "rm RULE...", Short: "Remove rules", Example: "  virga network rules rm 4f2k",
		Args: arguments(1, -1),
		Run: func(cmd *command.Command, args []string) error {
			return each(args, func(id string) error {
				if err := a.api().RemoveRule(cmd.Context(), id); err != nil {
					return err
				}
				fmt.Fprintln(a.Out, id)
				return nil
			})
		},
	})
	return cmd
}
