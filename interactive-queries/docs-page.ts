/** The API as a plain page: made once from the routes, no script, nothing from outside. */
import type { Route } from './http/route.ts';
import type { ApiInfo } from './openapi.ts';

const STYLE = `
:root{color-scheme:light dark;font:15px/1.5 system-ui,sans-serif}
body{max-width:60rem;margin:2rem auto;padding:0 1rem}
h2{margin-top:2.5rem;text-transform:capitalize}
details{border:1px solid #8884;border-radius:.5rem;margin:.5rem 0;padding:.4rem .8rem}
summary{cursor:pointer}
code,pre{font:13px/1.5 ui-monospace,monospace}
pre{overflow:auto;background:#8881;padding:.6rem;border-radius:.4rem}
b.m{display:inline-block;min-width:4.5rem}
td{padding:.1rem 1rem .1rem 0;vertical-align:top}`;

export function docsPage(routes: readonly Route[], info: ApiInfo): string {
  const tags = [...new Set(routes.map(({ tag }) => tag))];
  const sections = tags.map((tag) => {
    const operations = routes
      .filter((route) => route.tag === tag)
      .map((route) => operation(route, info.isSecured));
    return `<h2>${html(tag)}</h2>${operations.join('')}`;
  });
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${html(info.title)}</title><style>${STYLE}</style>
<h1>${html(info.title)}</h1><p>${html(info.description)}</p><p><a href="/openapi.json">openapi.json</a></p>${sections.join('')}</html>`;
}

function operation(route: Route, isSecured: boolean): string {
  const headers = Object.entries(route.requestHeaders ?? {}).map(([name, { required, about }]) =>
    row(`${name}${required ? ' (required)' : ''}`, about),
  );
  const query = Object.keys(route.query ?? {}).map((name) => row(`?${name}`, 'optional'));
  const answers = Object.entries(route.answers).map(([status, { about }]) => row(status, about));
  const access =
    isSecured && route.access !== 'open'
      ? `<p>Needs the role ${html(route.access.join(' or '))}</p>`
      : '';
  const body =
    route.body === undefined
      ? ''
      : `<p>Body</p><pre>${html(JSON.stringify(route.body, undefined, 2))}</pre>`;
  return `<details id="${html(route.operationId)}"><summary><b class="m">${route.method}</b><code>${html(route.path)}</code> ${html(route.summary)}</summary>
${access}<table>${[...headers, ...query].join('')}</table>${body}<p>Answers</p><table>${answers.join('')}</table></details>`;
}

function row(name: string, about: string): string {
  return `<tr><td><code>${html(name)}</code></td><td>${html(about)}</td></tr>`;
}

function html(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
