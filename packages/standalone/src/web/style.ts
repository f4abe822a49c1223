import { hash } from 'node:crypto'

/** Style of all pages: one column, light or dark with the system, from 320 pixels on. */
export const STYLE = `
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--text:#1b2330;--soft:#566072;--line:#d8dde6;--accent:#1f5fd0;--on:#fff;--bad:#b3261e;--badbg:#fdecea;--good:#1b6e3c;--goodbg:#e7f5ec;--focus:#1f5fd0}
@media (prefers-color-scheme:dark){:root{--bg:#11151c;--card:#1a202a;--text:#e7ebf2;--soft:#a4aebf;--line:#343d4c;--accent:#8ab4ff;--on:#0d1420;--bad:#ffb4ab;--badbg:#3a1a18;--good:#8fd9ac;--goodbg:#14301f;--focus:#8ab4ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--text);font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;-webkit-text-size-adjust:100%}
header{display:flex;flex-wrap:wrap;gap:.25rem 1rem;align-items:center;justify-content:space-between;max-width:44rem;margin:0 auto;padding:1rem 1rem 0}
header strong{font-size:1.05rem;letter-spacing:-.01em}
header strong::before{content:"";display:inline-block;width:.7em;height:.7em;margin-right:.5em;border-radius:.2em;background:var(--accent)}
nav{display:flex;flex-wrap:wrap;gap:.25rem 1rem;align-items:center}
main{max-width:44rem;margin:0 auto;padding:1rem}
.narrow{max-width:26rem}
.form>*{max-width:30rem}
h1{font-size:1.5rem;line-height:1.25;margin:.75rem 0 1rem;letter-spacing:-.015em}
h2{font-size:1.1rem;line-height:1.3;margin:0 0 .25rem}
p{margin:.5rem 0}
a{color:var(--accent);text-underline-offset:.15em}
.card{background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:1.1rem;margin:0 0 1rem}
.soft{color:var(--soft)}
.small{font-size:.9rem}
ul.rows{list-style:none;margin:.5rem 0 0;padding:0}
ul.rows>li{display:flex;flex-wrap:wrap;gap:.5rem 1rem;align-items:center;justify-content:space-between;padding:.75rem 0;border-top:1px solid var(--line)}
ul.rows>li:last-child{padding-bottom:0}
.card>ul.rows:first-child{margin-top:0}
.card>ul.rows:first-child>li:first-child{border-top:0;padding-top:0}
.what{flex:1 1 11rem;min-width:0;overflow-wrap:anywhere}
.what strong{display:block;font-weight:600}
.acts{display:flex;flex-wrap:wrap;gap:.5rem}
.tag{display:inline-block;font-size:.78rem;font-weight:600;padding:.05rem .5rem;border-radius:1rem;border:1px solid var(--line);color:var(--soft)}
label{display:block;font-weight:600;margin:.9rem 0 .25rem}
form>label:first-of-type{margin-top:0}
label.check{display:flex;gap:.6rem;align-items:flex-start;font-weight:400}
input{font:inherit;color:inherit;background:var(--bg);border:1px solid var(--soft);border-radius:.5rem;padding:.6rem .75rem;width:100%;min-height:2.75rem}
input[type=checkbox]{width:1.25rem;min-height:1.25rem;flex:none;margin:.15rem 0 0}
input.code{font-size:1.4rem;letter-spacing:.25em;font-variant-numeric:tabular-nums;max-width:12rem}
.hint{display:block;font-size:.9rem;color:var(--soft);margin:.25rem 0 0}
button,.button{font:inherit;font-weight:600;min-height:2.75rem;padding:.5rem 1.1rem;border-radius:.5rem;border:1px solid var(--accent);background:var(--accent);color:var(--on);cursor:pointer;text-decoration:none;display:inline-flex;align-items:center;justify-content:center}
button.plain,.button.plain{background:transparent;color:var(--accent);border-color:var(--line)}
button.bad{background:transparent;color:var(--bad);border-color:var(--bad)}
button.link{background:none;border:0;padding:0;min-height:1.5rem;color:var(--accent);text-decoration:underline;text-underline-offset:.15em;font-weight:400}
.wide button,.wide .button{width:100%}
form>p:first-of-type{margin-top:0}
form>button,div>button.main{margin-top:1.1rem}
.acts form>button,nav form>button,li form>button{margin-top:0}
.or{display:flex;align-items:center;gap:.75rem;color:var(--soft);margin:1.1rem 0}
.or::before,.or::after{content:"";flex:1;border-top:1px solid var(--line)}
.alert{border-radius:.5rem;padding:.7rem .9rem;margin:0 0 1rem;border:1px solid currentColor}
.alert.bad{background:var(--badbg);color:var(--bad)}
.alert.good{background:var(--goodbg);color:var(--good)}
.alert:focus{outline:none}
code,.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.95em;overflow-wrap:anywhere}
.big{font-size:1.35rem;letter-spacing:.06em;line-height:1.5;display:block;margin:.25rem 0}
dl{margin:.5rem 0;display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
summary{cursor:pointer;color:var(--accent);min-height:1.75rem}
svg.qr{display:block;width:min(13rem,100%);height:auto;margin:.75rem 0;border-radius:.5rem}
[hidden]{display:none!important}
:focus-visible{outline:3px solid var(--focus);outline-offset:2px}
`

/** Hash for the policy, so that only this style is used. Source: CSP 3, section 2.3.1. */
export const STYLE_SOURCE = `'sha256-${hash('sha256', STYLE, 'base64')}'`
