"use strict";

const { workspace, window } = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

async function activate() {
  const [command, ...args] = workspace.getConfiguration("recurrency").get("command");
  const options = { documentSelector: [{ language: "rnn" }] };
  client = new LanguageClient("recurrency", "Recurrency", { command, args }, options);
  try {
    await client.start();
  } catch (error) {
    window.showWarningMessage(
      `${command} did not start (${error.message}): pip install 'recurrency[lsp]', or set recurrency.command.`,
    );
  }
}

function deactivate() {
  return client && client.isRunning() ? client.stop() : undefined;
}

module.exports = { activate, deactivate };
