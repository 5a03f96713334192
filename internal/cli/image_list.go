package cli

import (
	"context"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func imageListCommand(a *App, use string) *command.Command {
	var l listFlags
	var filters []string
	var digests bool
	cmd := &command.Command{
		Use:   use,
		Short: "List images",
		Long: "List images, by all their names.\n\n" +
			"Filters: reference=NAME[:TAG], with * for any part; label=KEY[=VALUE], dangling=true|false (it has no name), before=IMAGE, since=IMAGE.",
		Example:  "  virga images\n  virga images --filter reference='team/*' --digests\n  virga images --format '{{.Repository}}:{{.Tag}} {{.Size}}'\n  virga images -q debian",
		Args:     arguments(0, 1),
		Complete: a.completeImages,
		Run: func(cmd *command.Command, args []string) error {
			match, err := a.imageFilters(cmd.Context()).parse(filters)
			if err != nil {
				return err
			}
			list, err := a.api().Images(cmd.Context())
			if err != nil {
				return err
			}
			list = slices.DeleteFunc(list, func(i api.Image) bool { return !match(i) })
			if len(args) == 1 {
				list = slices.DeleteFunc(list, func(i api.Image) bool { return !hasName(i, args[0]) })
			}
			slices.SortStableFunc(list, func(x, y api.Image) int { return y.Created.Compare(x.Created) })
			rows := imageRows(list, time.Now(), l.noTrunc)
			columns := imageColumns
			if digests {
				columns = slices.Insert(slices.Clone(columns), 2, digestColumn)
			}
			return listing[imageRow]{
				columns: columns, rows: rows, objects: list,
				quiet:  imageRow.ID,
				object: func(r imageRow) any { return r.Image },
			}.show(a, l)
		},
	}
	f := cmd.Flags()
	l.register(f)
	listVar(f, &filters, "filter", "f", "show only those that match `KEY=VALUE`")
	f.BoolVar(&digests, "digests", false, "show the digests of manifests")
	f.BoolP("all", "a", false, "no effect: there are no images between others")
	_ = f.MarkHidden("all")
	return cmd
}

// imageFilters are those of image ls. before and since look up their image.
func (a *App) imageFilters(ctx context.Context) filterKeys[api.Image] {
	made := func(test func(i, other time.Time) bool) func(string) (func(api.Image) bool, error) {
		return func(name string) (func(api.Image) bool, error) {
			other, err := a.api().Image(ctx, name)
			return func(i api.Image) bool { return test(i.Created, other.Created) }, err
		}
	}
	return filterKeys[api.Image]{
		"dangling":  switchFilter("dangling", func(i api.Image) bool { return len(i.Names) == 0 }),
		"label":     textFilter(func(i api.Image, want string) bool { return api.Labelled(i.Labels, want) }),
		"reference": referenceFilter,
		"before":    made(time.Time.Before),
		"since":     made(time.Time.After),
	}
}

// referenceFilter makes the test of a name, its repository or an end of one, in
// which * stands for what has no slash.
func referenceFilter(pattern string) (func(api.Image) bool, error) {
	if _, err := path.Match(pattern, ""); err != nil {
		return nil, api.Invalid("filter", "filter reference=%q: %s", pattern, err).WithHint("* stands for any part of a name without a slash")
	}
	return func(i api.Image) bool {
		return hasName(i, pattern) || slices.ContainsFunc(i.Names, func(n string) bool {
			repo, _ := splitName(n)
			whole, _ := path.Match(pattern, n)
			untagged, _ := path.Match(pattern, repo)
			return whole || untagged
		})
	}, nil
}

func hasName(i api.Image, want string) bool {
	return slices.ContainsFunc(i.Names, func(n string) bool {
		repo, _ := splitName(n)
		return n == want || repo == want || strings.HasSuffix(repo, "/"+want) || strings.HasSuffix(n, "/"+want)
	})
}

// digestColumn is shown when it was asked for.
var digestColumn = column[imageRow]{"Digest", "DIGEST", func(r imageRow) string { return first(r.Image.Digest, "<none>") }}

// imageRow is one name of an image.
type imageRow struct {
	api.Image
	name  string
	now   time.Time
	whole bool
}

var imageColumns = []column[imageRow]{
	{"Repository", "REPOSITORY", imageRow.Repository},
	{"Tag", "TAG", imageRow.Tag},
	{"ID", "IMAGE ID", imageRow.ID},
	{"CreatedSince", "CREATED", imageRow.CreatedSince},
	{"Size", "SIZE", imageRow.Size},
}

func imageRows(list []api.Image, now time.Time, whole bool) []imageRow {
	var rows []imageRow
	for _, i := range list {
		if len(i.Names) == 0 {
			rows = append(rows, imageRow{i, "", now, whole})
		}
		for _, n := range i.Names {
			rows = append(rows, imageRow{i, n, now, whole})
		}
	}
	return rows
}

// splitName separates the tag or digest of a reference.
func splitName(name string) (repository, tag string) {
	if repo, digest, ok := strings.Cut(name, "@"); ok {
		return repo, digest
	}
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		return name[:i], name[i+1:]
	}
	return name, ""
}

// Repository is the name without its tag.
func (r imageRow) Repository() string {
	repo, _ := splitName(r.name)
	return first(repo, "<none>")
}

// Tag is the tag of the name.
func (r imageRow) Tag() string {
	_, tag := splitName(r.name)
	return first(tag, "<none>")
}

// ID is the image's id, shortened unless wanted whole.
func (r imageRow) ID() string {
	if r.whole {
		return r.Image.ID
	}
	return api.ShortID(r.Image.ID)
}

// CreatedSince is how long ago the image was made.
func (r imageRow) CreatedSince() string { return ago(r.now, r.Created) }

// CreatedAt is when the image was made.
func (r imageRow) CreatedAt() string { return r.Created.Local().Format(time.DateTime + " -0700 MST") }

// Size is the size of its files.
func (r imageRow) Size() string { return api.FormatBytes(r.Image.Size) }
