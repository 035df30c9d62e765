"""How the page looks: fonts of the reader's own system, readable at 400 pixels, the place of the keyboard always visible."""

FONTS, CODE_FONTS = ["system-ui", "sans-serif"], ["ui-monospace", "monospace"]  # none is fetched

CSS = """
.gradio-container { --body-text-color-subdued: #4f5d73; max-width: 1180px !important; width: 100% !important;
  margin: 0 auto !important; padding: 1.2rem .8rem 3rem !important; }
.dark .gradio-container, .gradio-container.dark { --body-text-color-subdued: #aab6c6; }
.gradio-container .app { padding: .6rem .8rem !important; width: 100%; box-sizing: border-box; }
.gradio-container .app .wrap, .gradio-container main.contain { width: 100%; }
:focus-visible { outline: 3px solid var(--primary-500) !important; outline-offset: 2px !important; }
#head h1 { font-size: 1.55rem; line-height: 1.2; margin: 0; letter-spacing: -.01em; }
#head p { color: var(--body-text-color-subdued); margin: .3rem 0 .4rem; max-width: 70ch; }
.lead { border-left: 4px solid var(--primary-500); background: var(--background-fill-secondary); border-radius: 0 8px 8px 0;
  padding: .6rem .9rem; margin: 0; max-width: 80ch; }
.said { margin: 0; min-height: 1.5em; color: var(--body-text-color-subdued); }
.said.wrong { color: var(--error-text-color); background: var(--error-background-fill); border-radius: 8px;
  border: 1px solid var(--error-border-color); padding: .55rem .8rem; font-weight: 600; overflow-wrap: anywhere; }
.picture { min-width: min(100%, 260px) !important; }
.picture img, .picture video { object-fit: contain; width: 100%; }
.probe { display: flex; gap: 1rem; align-items: flex-start; }
.probe figure { margin: 0; flex: none; } .probe img { height: 120px; width: auto; margin: 0 auto; border-radius: 8px; }
.probe figcaption { font-size: .82rem; color: var(--body-text-color-subdued); text-align: center; max-width: 9.5em; }
.probe ul { margin: 0; padding-left: 1.1rem; font-size: .92rem; min-width: 0; } .probe li { margin: 0 0 .3rem; }
.candidates { list-style: none; margin: .6rem 0 0; padding: 0; display: grid; gap: .9rem;
  grid-template-columns: repeat(auto-fill, minmax(158px, 1fr)); }
.candidates li { border: 1px solid var(--border-color-primary); border-radius: 10px; overflow: hidden; margin: 0;
  background: var(--background-fill-primary); }
.candidates figure { margin: 0; }
.candidates img, .candidates .none { display: block; width: 100%; height: 168px; object-fit: contain;
  background: var(--background-fill-secondary); }
.candidates .none { display: grid; place-items: center; padding: .6rem; text-align: center; font-size: .85rem;
  color: var(--body-text-color-subdued); }
.candidates figcaption { padding: .55rem .7rem .7rem; }
.candidates .who { display: flex; gap: .45rem; align-items: baseline; font-weight: 600; font-size: .92rem;
  margin-bottom: .4rem; }
.candidates .who span:last-child { overflow-wrap: anywhere; min-width: 0; }
.candidates .rank { color: var(--primary-600); font-variant-numeric: tabular-nums; }
.dark .candidates .rank { color: var(--primary-300); }
.candidates dl { margin: 0; display: grid; grid-template-columns: auto 1fr; gap: .1rem .6rem; font-size: .88rem; }
.candidates dt { color: var(--body-text-color-subdued); font-weight: 400; }
.candidates dd { margin: 0; text-align: right; font-variant-numeric: tabular-nums; }
.candidates .strong { font-weight: 700; }
.mark { display: inline-block; margin-top: .45rem; font-size: .78rem; padding: .1rem .5rem; border-radius: 99px;
  border: 1px solid var(--border-color-primary); color: var(--body-text-color-subdued); }
.about { max-width: 80ch; } .about h2 { font-size: 1.15rem; margin: 1.4rem 0 .4rem; } .about li { margin: .25rem 0; }
.about .wide { overflow-x: auto; }
.about table, .about tr { border-collapse: collapse; border: 0 !important; font-variant-numeric: tabular-nums; }
.about th, .about td { text-align: left; padding: .3rem 1.4rem .3rem 0 !important; vertical-align: top; border: 0 !important;
  border-bottom: 1px solid var(--border-color-primary) !important; }
.about td.number { text-align: right; } .about code { overflow-wrap: anywhere; }
@media (max-width: 600px) {
  .gradio-container { padding: .4rem 0 2rem !important; } #head h1 { font-size: 1.3rem; }
  .gradio-container .app { padding: .4rem .7rem !important; }
  .candidates { grid-template-columns: repeat(auto-fill, minmax(138px, 1fr)); gap: .6rem; }
  .candidates img, .candidates .none { height: 136px; }
}
@media (prefers-reduced-motion: reduce) { * { animation-duration: .01ms !important; transition-duration: .01ms !important; } }
"""
