// Runs in lab/index.html before JupyterLite does. releases.json: lesson -> a sum of its content; "" ->
// the list of packages. It is asked for at each visit, for this page may come from a browser's cache.

// JupyterLite shows your copy of a file for ever. A lesson that has changed since you began with it
// opens anew, and your copy is listed beside it under another name.
async function setCopiesAside() {
  const releases = await (await fetch("../releases.json", { cache: "no-store" })).json();
  const kept = localStorage.getItem("course-releases");
  if (kept === JSON.stringify(releases)) return;
  const old = JSON.parse(kept ?? "{}");
  const names = Object.keys(releases).filter(name => name && old[name] !== releases[name]);
  const fresh = ["lab/index.html", "jupyter-lite.json", "api/contents/all.json",
    ...names.map(name => `files/${name}`)];
  if (kept) await Promise.all(fresh.map(path => fetch(`../${path}`, { cache: "reload" })));
  const set = await copies(names, releases);
  localStorage.setItem("course-releases", JSON.stringify(releases));
  if (set.length) say(`New here: ${set.map(([name]) => name).join(", ")}. ` +
    `What you had written is kept as ${set.map(([, own]) => own).join(", ")}. (Click to close.)`);
}

// The names of the edited copies of older releases, before and after they were renamed.
async function copies(names, releases) {
  const storage = `JupyterLite Storage - ${new URL("..", location.href).pathname}`;
  const answer = request => new Promise((done, failed) => {
    request.onsuccess = () => done(request.result);
    request.onerror = () => failed(request.error);
  });
  if (!(await indexedDB.databases()).some(database => database.name === storage)) return [];
  const database = await answer(indexedDB.open(storage));
  const set = [];
  if (database.objectStoreNames.contains("files")) {
    const files = database.transaction("files", "readwrite").objectStore("files");
    for (const name of names) {
      const item = await answer(files.get(name));
      const release = item?.content?.metadata?.release;
      if (!item || release === releases[name]) continue;
      const own = name.replace(".ipynb", ` (yours until ${new Date().toISOString().slice(0, 16)
        .replace("T", " ").replace(":", ".")}).ipynb`);
      await answer(files.put({ ...item, name: own, path: own }, own));
      await answer(files.delete(name));
      set.push([name, own]);
    }
  }
  database.close();
  return set;
}

// One line at the foot of the page, for some seconds or until it is taken away or clicked.
const foot = document.createElement("div");
foot.id = "course-says";
foot.setAttribute("role", "status");
foot.style = "position:fixed;bottom:2em;left:10%;right:10%;z-index:2000;text-align:center";
document.documentElement.append(foot);

function say(text, seconds) {
  const line = document.createElement("div");
  line.style = "display:table;margin:.5em auto;padding:.6em 1em;border-radius:4px;" +
    "background:#222;color:#fff;font:15px sans-serif";
  line.textContent = text;
  foot.append(line);
  line.onclick = () => line.remove();
  if (seconds) setTimeout(() => line.remove(), 1000 * seconds);
  return line;
}

const loading = say("Python is being loaded: SIZE MB at the first visit. " +
  "You can read already; the first cell answers after about 20 seconds.");
const look = setInterval(() => {
  const widget = window.jupyterapp?.shell.currentWidget;
  if (widget?.sessionContext?.session?.kernel?.status !== "idle") {
    if (performance.now() > 180e3) loading.textContent = "Python has not answered for three " +
      "minutes. Reload the page; if that does not help, try a newer browser.";
    return;
  }
  clearInterval(look);
  loading.remove();
  if (!navigator.serviceWorker?.controller) say("This address is neither https nor localhost, or " +
    "this is a private window: lessons run, but solved exercises count until you reload only.", 30);
}, 300);
