package cli

import (
	"slices"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func imageListCommand(a *App, use string) *command.Command {
	var l listFlags
	cmd := &command.Command{
		Use:      use,
		Short:    "List images",
		Example:  "  virga images\n  virga images --format '{{.Repository}}:{{.Tag}} {{.Size}}'\n  virga images -q debian",
		Args:     arguments(0, 1),
		Complete: a.completeImages,
		Run: func(cmd *command.Command, args []string) error {
			list, err := a.api().Images(cmd.Context())
			if err != nil {
				return err
			}
			if len(args) == 1 {
				list = slices.DeleteFunc(list, func(i api.Image) bool { return !hasName(i, args[0]) })
			}
			slices.SortStableFunc(list, func(x, y api.Image) int { return y.Created.Compare(x.Created) })
			rows := imageRows(list, time.Now(), l.noTrunc)
			return listing[imageRow]{
				columns: imageColumns, rows: rows, objects: list,
				quiet:  imageRow.ID,
				object: func(r imageRow) any { return r.Image },
			}.show(a, l)
		},
	}
	l.register(cmd.Flags())
	return cmd
}

func hasName(i api.Image, want string) bool {
	return slices.ContainsFunc(i.Names, func(n string) bool {
		repo, _ := splitName(n)
		return n == want || repo == want || strings.HasSuffix(repo, "/"+want) || strings.HasSuffix(n, "/"+want)
	})
}

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
